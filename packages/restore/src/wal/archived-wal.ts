import { dirname } from "node:path";
import { replaceFile } from "@soar/durable-files";
import { hasErrorCode, SoarError } from "@soar/errors";
import { formatLsn, lsnOfSegmentIndex, parseWalFileName, parseWalSegment } from "@soar/pg-tools";
import { readLiveControlFile } from "@soar/pg-tools/cluster";
import { type RepositoryRecord, requireRepositoryRecord } from "@soar/repository";
import { readChainSegment } from "@soar/repository/chain";
import {
  findTimelineHistory,
  findWalObjects,
  LARGEST_HISTORY,
  parseWalKey,
  walKey,
  type WalObject,
} from "@soar/repository/wal";
import { type CallOptions, readObject, type ObjectStore } from "@soar/storage";
import { checkSegment } from "./check-segment.ts";
import { findForkInDirectory, findForkInRepository, type KnownFork } from "./known-fork.ts";
import type { FetchWalOptions } from "./wal-fetch.ts";

export interface FetchArchivedWalOptions extends FetchWalOptions {
  /** Of the server that asks; undefined where there is none, as for `pg_rewind` into a directory that is being made. */
  readonly dataDir: string | undefined;
  /** Whether the server follows the newest timeline in the repository, as a standby does (`recovery_target_timeline = latest`). */
  readonly followsNewest: boolean;
}

/**
 * Delivers one WAL file of the archive by its name, without the plan of a restore: to a standby, to `pg_rewind`, to somebody's own
 * recovery. Only what was checked appears under `path`: digest, size, header, and the cluster's system identifier. A segment of a
 * timeline is not delivered behind the point at which a descendant leaves it that the server follows, and up to there only: what
 * an abandoned branch went on to archive is no part of the cluster (safety, trap 30). Never a partial segment, never a tail.
 *
 * Rejects with `WAL_END` when the repository itself says that the file is not there and nothing of the same timeline is behind it,
 * with `WAL_MISSING` where something is, with `REPOSITORY_MISSING`, `REPOSITORY_FOREIGN`, `REPOSITORY_DAMAGED`, and as
 * the store does. It is for the caller to say which of these end a recovery and which are to be asked again.
 */
export async function fetchArchivedWal(
  store: ObjectStore,
  name: string,
  path: string,
  { dataDir, followsNewest, owner, ...options }: FetchArchivedWalOptions,
): Promise<void> {
  const file = parseWalFileName(name);
  const place = { mode: 0o600, owner, sync: "none" } as const;
  if (file.kind === "history") {
    await requireOwnRepository(store, dataDir, options);
    await replaceFile(path, await readHistory(store, name, file.timeline, options), place);
    return;
  }
  if (file.kind !== "segment")
    throw new SoarError("WAL_NAME_INVALID", `unable to deliver '${name}': recovery does not ask for such a file`, {
      hint: "Check that restore_command passes %f as the name.",
    });
  // All at once: with the latency of a provider, one after the other they would take longer than the segment.
  const [{ systemIdentifier, walSegmentSize: segmentSize }, fork, objects] = await Promise.all([
    requireOwnRepository(store, dataDir, options),
    findFork(store, file.timeline, { ...options, walDir: dirname(path), followsNewest }),
    findWalObjects(store, name, options),
  ]);
  const segment = parseWalSegment(name, segmentSize);
  const cutLsn = cutOf(name, lsnOfSegmentIndex(segment.index, segmentSize), { segmentSize, fork });
  if (objects.length === 0) throw await whyAbsent(store, name, options);
  const cluster = { systemIdentifier, segmentSize };
  await deliverFirstGood(objects, (object) =>
    replaceFile(
      path,
      checkSegment(
        readChainSegment(store, { ...segment, name, object, cutLsn }, segmentSize, options),
        cluster,
        object,
      ),
      place,
    ),
  );
}

/** The server's own word on which cluster it is: a prefix that another one archives to would break it silently. */
async function requireOwnRepository(
  store: ObjectStore,
  dataDir: string | undefined,
  options: CallOptions,
): Promise<RepositoryRecord> {
  const record = await requireRepositoryRecord(store, options);
  const own = dataDir === undefined ? undefined : String((await readLiveControlFile(dataDir)).systemIdentifier);
  if (own === undefined || own === record.systemIdentifier) return record;
  throw new SoarError(
    "REPOSITORY_FOREIGN",
    `'${store.location}' is of the cluster with system identifier ${record.systemIdentifier}, '${dataDir}' of ${own}`,
    { hint: "Check bucket and prefix in BACKUP_BUCKET: each cluster has its own." },
  );
}

async function findFork(
  store: ObjectStore,
  timeline: number,
  { walDir, followsNewest, ...options }: CallOptions & { readonly walDir: string; readonly followsNewest: boolean },
): Promise<KnownFork | undefined> {
  const own = await findForkInDirectory(walDir, timeline);
  return own === undefined && followsNewest ? await findForkInRepository(store, timeline, options) : own;
}

async function readHistory(store: ObjectStore, name: string, timeline: number, options: CallOptions): Promise<Buffer> {
  // Parsed, too: a damaged history would lead the server elsewhere.
  const isThere = timeline > 1 && (await findTimelineHistory(store, timeline, options)) !== undefined;
  if (!isThere) throw end(name, "there is no such timeline");
  return await readObject(store, walKey(name, "none"), { ...options, maxBytes: LARGEST_HISTORY });
}

/** Up to where the segment belongs to its timeline; all of it unless told. Throws `WAL_END` where nothing of it does. */
function cutOf(
  name: string,
  start: bigint,
  { segmentSize, fork }: { segmentSize: number; fork: KnownFork | undefined },
): bigint | undefined {
  if (fork === undefined || fork.switchLsn >= start + BigInt(segmentSize)) return undefined;
  if (fork.switchLsn > start) return fork.switchLsn;
  throw end(name, `timeline ${fork.timeline} goes on from ${formatLsn(fork.switchLsn)} instead`);
}

/** The archive ends before a segment only if nothing of its timeline is behind it: else this is a hole, and no end. */
async function whyAbsent(store: ObjectStore, name: string, { signal }: CallOptions): Promise<SoarError> {
  const behind = { startAfter: walKey(name, "none"), signal };
  for await (const { key, size } of store.list(walKey(name.slice(0, TIMELINE_DIGITS), "none"), behind)) {
    const object = parseWalKey(key, size);
    if (object === undefined || parseWalFileName(object.name).kind !== "segment") continue;
    return new SoarError("WAL_MISSING", `'${name}' is not in '${store.location}', although '${object.name}' is`, {
      hint: "soar-backup-verify says which WAL is missing. A recovery has to begin behind it, with a later backup.",
    });
  }
  return end(name, "the archive of its timeline ends before it");
}

const TIMELINE_DIGITS = 8;

/** One segment may lie there in several codecs: one of them that is damaged is no reason to stop. */
async function deliverFirstGood(
  objects: readonly WalObject[],
  deliver: (object: WalObject) => Promise<void>,
): Promise<void> {
  for (const [at, object] of objects.entries()) {
    try {
      return await deliver(object);
    } catch (error) {
      if (at === objects.length - 1 || !hasErrorCode(error, "REPOSITORY_DAMAGED", "WAL_INVALID")) throw error;
    }
  }
}

function end(name: string, why: string): SoarError {
  return new SoarError("WAL_END", `there is no '${name}': ${why}`);
}
