import { basename, dirname } from "node:path";
import { replaceFile } from "@soar/durable-files";
import { hasErrorCode, SoarError } from "@soar/errors";
import { formatLsn, lsnOfSegmentIndex, parseWalFileName, parseWalSegment } from "@soar/pg-tools";
import { readLiveControlFile } from "@soar/pg-tools/cluster";
import { type RepositoryRecord, requireRepositoryRecord } from "@soar/repository";
import { readChainSegment } from "@soar/repository/chain";
import { findWalObjects, listTimelines, parseWalKey, walKey, type WalObject } from "@soar/repository/wal";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { checkSegment } from "./check-segment.ts";
import {
  findForkInDirectory,
  findForkInRepository,
  type KnownFork,
  missingHistory,
  readHistoryFile,
} from "./known-fork.ts";
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
 * timeline is not delivered to a server behind the point at which a descendant leaves it that the server follows, and up to there
 * only: what an abandoned branch went on to archive is no part of the cluster (safety, trap 30). `pg_rewind` needs just that, and is
 * given it. Never a partial segment, never a tail.
 *
 * Rejects with `WAL_END` when the repository itself says that the file is not there and nothing that would follow it,
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
    basename(path) === REPLAYED
      ? findFork(store, file.timeline, { ...options, walDir: dirname(path), followsNewest })
      : undefined,
    findWalObjects(store, name, options),
  ]);
  const segment = parseWalSegment(name, segmentSize);
  const start = lsnOfSegmentIndex(segment.index, segmentSize);
  const cutLsn = cutOf(name, start, { segmentSize, fork });
  if (objects.length === 0) throw await whyAbsent(store, { name, timeline: segment.timeline, start, fork }, options);
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

/** Under this name PostgreSQL replays a segment (RestoreArchivedFile in xlogrecovery.c); `pg_rewind` asks under the segment's own. */
const REPLAYED = "RECOVERYXLOG";

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

/** A timeline that is not there is the end only if no later one is: PostgreSQL looks for them one after the other. */
async function readHistory(store: ObjectStore, name: string, timeline: number, options: CallOptions): Promise<Buffer> {
  const bytes = await readHistoryFile(store, timeline, options);
  if (bytes !== undefined) return bytes;
  const later = await listTimelines(store, { ...options, after: timeline - 1 });
  throw timeline === 1 || later.length === 0 ? end(name, "there is no such timeline") : missingHistory(store, timeline);
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

interface Absent {
  readonly name: string;
  readonly timeline: number;
  readonly start: bigint;
  readonly fork: KnownFork | undefined;
}

/**
 * The archive ends before a segment only if nothing of its timeline is behind it, and no other timeline left it behind there: else
 * this is a hole, and no end. A new primary archives nothing of what it had received before its promotion.
 */
async function whyAbsent(
  store: ObjectStore,
  { name, timeline, start, fork }: Absent,
  options: CallOptions,
): Promise<SoarError> {
  const known = fork ?? (await findForkInRepository(store, timeline, options));
  if (known !== undefined && known.switchLsn > start)
    return hole(store, name, `timeline ${known.timeline} goes on behind it, from ${formatLsn(known.switchLsn)}`);
  const behind = { startAfter: walKey(name, "none"), signal: options.signal };
  for await (const { key, size } of store.list(walKey(name.slice(0, TIMELINE_DIGITS), "none"), behind)) {
    const object = parseWalKey(key, size);
    if (object !== undefined && parseWalFileName(object.name).kind === "segment")
      return hole(store, name, `'${object.name}' is`);
  }
  return end(name, "the archive of its timeline ends before it");
}

function hole({ location }: ObjectStore, name: string, fact: string): SoarError {
  return new SoarError("WAL_MISSING", `'${name}' is not in '${location}', although ${fact}`, {
    hint: "soar-backup-verify says which WAL is missing. Archive it from pg_wal of a server that has it; else a recovery has to begin behind it, with a later backup.",
  });
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
