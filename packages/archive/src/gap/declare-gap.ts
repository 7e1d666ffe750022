import { ownerOf } from "@soar/durable-files";
import { hasErrorCode } from "@soar/errors";
import { FORMAT_VERSION } from "@soar/repository";
import { findGap, putGap, type GapRecord } from "@soar/repository/markers";
import { storeTime } from "@soar/repository/time";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { putGapMarker, type GapRange } from "./gap-markers.ts";

export interface DeclareGapOptions extends CallOptions {
  /** Who gives it up. */
  readonly declaredBy: string;
  readonly reason: string;
  readonly spoolDir: string;
  readonly dataDir: string;
  readonly now: Date;
}

/**
 * Declares a gap: in the bucket first, where everybody sees the hole, and then to the archive commands of this machine. Only
 * from then on do they answer for these segments without archiving them. The same range again keeps the first record.
 */
export async function declareGap(
  store: ObjectStore,
  { from, to }: GapRange,
  { declaredBy, reason, spoolDir, dataDir, now, signal }: DeclareGapOptions,
): Promise<GapRecord> {
  const declaredAt = storeTime(store, now).toISOString();
  const record: GapRecord = { format: FORMAT_VERSION, from, to, declaredBy, declaredAt, reason };
  const declared = await putOrFind(store, record, { signal });
  await putGapMarker(spoolDir, declared, await ownerOf(dataDir));
  return declared;
}

async function putOrFind(store: ObjectStore, record: GapRecord, options: CallOptions): Promise<GapRecord> {
  try {
    await putGap(store, record, options);
    return record;
  } catch (error) {
    if (!hasErrorCode(error, "OBJECT_EXISTS")) throw error;
    return (await findGap(store, record, options)) ?? record;
  }
}
