import { statIfPresent } from "@soar/durable-files";
import { hasErrorCode } from "@soar/errors";
import type { Lsn } from "@soar/pg-tools";
import { createWalScanner, isTransactionEnd } from "@soar/pg-tools/wal-records";
import { readPieces } from "../wal-source.ts";

const READ_SIZE = 1024 * 1024;

/**
 * When the first transaction behind a position committed, by the segment itself; milliseconds since the Unix epoch.
 * Undefined when the segment holds none, is not there any more, or was not begun yet.
 */
export async function findOldestCommit(path: string, name: string, from: Lsn): Promise<number | undefined> {
  const scanner = createWalScanner({ name });
  try {
    const { size } = (await statIfPresent(path)) ?? { size: 0 };
    for await (const piece of readPieces(path, size, READ_SIZE)) {
      const commit = scanner.push(piece).find((record) => isTransactionEnd(record) && record.endLsn > from);
      if (commit !== undefined && isTransactionEnd(commit)) return Number(commit.time / 1000n);
      if (scanner.end !== undefined) return undefined;
    }
  } catch (error) {
    // A file that PostgreSQL has recycled, or keeps for later, still has the pages of another segment.
    if (!hasErrorCode(error, "WAL_INVALID", "FILE_UNREADABLE")) throw error;
  }
  return undefined;
}
