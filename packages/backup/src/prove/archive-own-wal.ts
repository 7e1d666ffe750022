import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { unreadable } from "@soar/durable-files";
import { hasErrorCode, messageOf } from "@soar/errors";
import {
  formatBackupHistoryName,
  formatWalSegment,
  segmentIndexBeforeLsn,
  segmentIndexOfLsn,
  type Lsn,
} from "@soar/pg-tools";
import { listTimelineSegments } from "@soar/repository/wal";
import type { ArchiveWal } from "@soar/restore";
import type { ObjectStore } from "@soar/storage";
import { mapOrdered } from "@soar/task-pool";

/** A backup that the server on this machine has just ended. */
export interface OwnWal {
  readonly dataDirectory: string;
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  readonly timeline: number;
  readonly segmentSize: number;
}

/** Two files of 16 MiB, plain and compressed, are little beside what the backup had in memory. */
const AT_ONCE = 2;

/** These say that the backup cannot be whole here; what else goes wrong is left to the server's archiver, which may do better. */
const FATAL = ["WAL_CONFLICT", "REPOSITORY_FOREIGN", "ABORTED"] as const;

/**
 * Stores the WAL that a finished backup needs, side by side, where it is not in the bucket yet, and the backup's history file: the
 * server's archiver hands one file after the other to its command, when it wakes up. It finds them archived already. Resolves with why
 * the first that could not be stored was not, or undefined. Rejects with `WAL_CONFLICT`, `REPOSITORY_FOREIGN` or `ABORTED`.
 */
export async function archiveOwnWal(
  store: ObjectStore,
  wal: OwnWal,
  { archiveWal, signal }: { readonly archiveWal: ArchiveWal; readonly signal: AbortSignal | undefined },
): Promise<string | undefined> {
  const { dataDirectory: dataDir } = wal;
  const directory = join(dataDir, "pg_wal");
  const here = await readdir(directory).catch((cause: unknown) => unreadable(directory, cause));
  if (here instanceof Error) return here.message;
  const work = async (name: string, stop: AbortSignal): Promise<string | undefined> => {
    try {
      await archiveWal(join(directory, name), name, { dataDir, signal: stop });
      return undefined;
    } catch (error) {
      if (FATAL.some((code) => hasErrorCode(error, code))) throw error;
      return messageOf(error);
    }
  };
  for await (const reason of mapOrdered(await namesOf(store, wal, { here: new Set(here), signal }), work, {
    maxItems: AT_ONCE,
    signal,
  })) {
    // Whatever keeps one from being stored keeps the next ones, too.
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/**
 * In the order of the WAL. What the bucket has is compared, too: on a name alone an archiver that is stuck there, because the bytes are
 * another server's, would be passed over. What the server has removed it had archived.
 */
async function namesOf(
  store: ObjectStore,
  { timeline, startLsn, stopLsn, segmentSize }: OwnWal,
  { here, signal }: { readonly here: ReadonlySet<string>; readonly signal: AbortSignal | undefined },
): Promise<string[]> {
  const fromIndex = segmentIndexOfLsn(startLsn, segmentSize);
  const { segments } = await listTimelineSegments(store, timeline, segmentSize, { fromIndex, signal });
  const names: string[] = [];
  for (let index = fromIndex; index <= segmentIndexBeforeLsn(stopLsn, segmentSize); index += 1) {
    const name = formatWalSegment({ timeline, index }, segmentSize);
    if (here.has(name) || !segments.has(index)) names.push(name);
  }
  const begin = { timeline, index: fromIndex };
  names.push(formatBackupHistoryName(begin, Number(startLsn % BigInt(segmentSize)), segmentSize));
  return names;
}
