import { join } from "node:path";
import { namesIfPresent } from "@soar/durable-files";
import { hasErrorCode } from "@soar/errors";
import { parseWalSegment, type WalSegment } from "@soar/pg-tools";

export interface SegmentThere extends WalSegment {
  readonly name: string;
}

const SEGMENT = /^[0-9A-F]{24}$/;

/** What has the name of a WAL segment of this size in pg_wal, whatever is in it, in ascending order of name. */
export async function segmentsThere(dataDir: string, segmentSize: number): Promise<SegmentThere[]> {
  const names = ((await namesIfPresent(join(dataDir, "pg_wal"))) ?? []).filter((name) => SEGMENT.test(name)).toSorted();
  return names.flatMap((name) => {
    try {
      return [{ name, ...parseWalSegment(name, segmentSize) }];
    } catch (error) {
      // Somebody has put it there: no server of this segment size has.
      if (hasErrorCode(error, "WAL_NAME_INVALID")) return [];
      throw error;
    }
  });
}
