import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { lstatIfPresent, makeDirectory, moveEntry, removeFile, replaceFile } from "@soar/durable-files";
import { removeTree } from "@soar/durable-files/directories";
import { lsnOfSegmentIndex, parseLsn } from "@soar/pg-tools";
import { connectSql, findSuperuser, type ConnectionConfig } from "@soar/pg-tools/replication";
import { findPostgresPrograms, startCluster, waitForRecovery } from "@soar/pg-tools/cluster";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { setRecoveryMode } from "@soar/pg-tools/recovery-config";
import { createCodecPool } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import { RESTORE_STATE_DIRECTORY } from "../data-directory.ts";
import { countHoles, totalHoles } from "../fetch/count-holes.ts";
import { fetchBackup } from "../fetch/fetch-backup.ts";
import { entrancesOf } from "../recover/entrances.ts";
import { restoreCommand } from "../wal/restore-command.ts";
import type { RestorePlan } from "../plan/plan.ts";
import { createScratchDirectory, SCRATCH_FILE, type ScratchDirectory } from "./scratch-directory.ts";
import { requireScratchRoom } from "./scratch-room.ts";
import { findPreloadLibraries } from "../server-config/preload-libraries.ts";
import { scratchSettings } from "./scratch-settings.ts";
import type { ScratchOptions } from "./scratch-types.ts";
import { findFreePort } from "./start-scratch.ts";
import { openWalFeed, type WalFeed } from "./wal-feed.ts";

/** A scratch standby on the archive, open for reading and for base backups. */
export interface Replica {
  /** As a superuser of the source. */
  readonly server: ConnectionConfig;
  readonly replayedLsn: bigint;
  /** Where the tablespaces of the source lie there, by OID; here they lie below the scratch directory. */
  readonly tablespaces: ReadonlyMap<number, string>;
}

/** Settings that are read at the start from a file that belongs to the source. */
const AUTO_CONF = "postgresql.auto.conf";
const POLL_MS = 100;

/**
 * Restores the planned backup wholly into a scratch directory, lets it follow the archive as a standby to the end of the
 * last whole segment, and hands it out. It is never promoted, so it stays on its source's timeline. Its data directory
 * holds what the source's would: no file of the scratch cluster, of recovery or of this program (safety, trap 57). Only
 * the links to tablespaces lead to the scratch directory.
 */
export async function withReplica<T>(
  store: ObjectStore,
  plan: RestorePlan,
  options: ScratchOptions & { use(replica: Replica): Promise<T> },
): Promise<T> {
  const { backup } = plan;
  const { binDir } = await findPostgresPrograms({
    major: majorOfVersionNumber(backup.postgresVersion),
    searchPaths: options.binDirs,
  });
  const directory = await createScratchDirectory(options.tempDir, options.owner);
  try {
    const content = {
      plainBytes: backup.sizes.database,
      countHoles: async () => totalHoles(await countHoles(store, backup, { signal: options.signal })),
      isDumped: false,
    };
    await requireScratchRoom(plan, content, options.tempDir);
    await fetchWhole(store, plan, { ...options, directory });
    const feed = await openWalFeed(store, wholeSegments(plan), {
      directory: directory.walDir,
      owner: options.owner,
      jobs: options.jobs,
      signal: options.signal,
    });
    try {
      return await options.use(await follow(plan, feed, { ...options, directory, binDir }));
    } finally {
      await feed.close();
    }
  } finally {
    await directory.remove();
  }
}

type Place = ScratchOptions & { readonly directory: ScratchDirectory };

async function fetchWhole(
  store: ObjectStore,
  { backup }: RestorePlan,
  { directory: { dataDir, tablespaceDir }, owner, jobs, signal, onEvent }: Place,
): Promise<void> {
  onEvent?.({ type: "fetching", scope: "cluster", plainBytes: backup.sizes.database });
  await makeDirectory(join(dataDir, RESTORE_STATE_DIRECTORY), { ...SCRATCH_FILE, mode: 0o700, owner });
  const tablespaces = new Map(backup.tablespaces.map(({ oid }) => [oid, join(tablespaceDir, String(oid))]));
  const pool = createCodecPool({ workers: jobs });
  try {
    await fetchBackup(store, {
      backup,
      dataDir,
      tablespaces,
      owner,
      pool,
      jobs,
      signal,
      onProgress: ({ receivedBytes }) => onEvent?.({ type: "fetched", bytes: receivedBytes }),
    });
  } finally {
    await pool.close();
  }
  await removeTree(join(dataDir, RESTORE_STATE_DIRECTORY), { sync: "none", owner });
}

/** Unfinished segments are no base for a backup: their rest is not in the bucket yet. */
function wholeSegments(plan: RestorePlan): RestorePlan {
  const segments = plan.chain.segments.filter(({ tail }) => tail === undefined);
  const endIndex = (segments.at(-1)?.index ?? plan.chain.endIndex - 1) + 1;
  const endLsn = lsnOfSegmentIndex(endIndex, plan.chain.segmentSize);
  const stopLsn = plan.resolved.stopLsn < endLsn ? plan.resolved.stopLsn : endLsn;
  return { ...plan, chain: { ...plan.chain, segments, endIndex }, resolved: { ...plan.resolved, stopLsn } };
}

type Starting = Place & { readonly binDir: string };

async function follow(plan: RestorePlan, feed: WalFeed, options: Starting): Promise<Replica> {
  const {
    directory: { dataDir, path, logFile, socketDir },
    owner,
    binDir,
    role,
    signal,
    onEvent,
  } = options;
  onEvent?.({ type: "replaying" });
  const file = (name: string): string => join(path, name);
  await replaceFile(file("postgresql.conf"), "", SCRATCH_FILE);
  await replaceFile(file("pg_hba.conf"), "local all all trust\nlocal replication all trust\n", SCRATCH_FILE);
  await replaceFile(file("pg_ident.conf"), "", SCRATCH_FILE);
  const putBack = await holdSettings(dataDir, path);
  await setRecoveryMode(dataDir, "standby");
  const port = await findFreePort();
  const { present } = await findPreloadLibraries(plan.backup.settings, binDir);
  const settings = {
    ...scratchSettings(
      plan,
      { dataDir, socketDir, hbaFile: file("pg_hba.conf"), identFile: file("pg_ident.conf"), port },
      { libraries: present, standby: true },
    ),
    restore_command: restoreCommand(feed.program),
    recovery_target_timeline: String(plan.chain.history.timeline),
    primary_conninfo: "",
    // What the record of the backup says of the source is what counts; this server writes nothing of its own.
    full_page_writes: "on",
  };
  try {
    const cluster = await startCluster({
      binDir,
      dataDir,
      owner,
      configFile: file("postgresql.conf"),
      settings,
      logFile,
      signal,
    });
    await waitForRecovery({ cluster, until: "consistent", signal, ...(onEvent === undefined ? {} : { onEvent }) });
    await putBack();
    // Read at the start and never again.
    for (const name of ["standby.signal", "backup_label.old", "tablespace_map.old"])
      await removeFile(join(dataDir, name), SCRATCH_FILE);
    const postgresMajor = majorOfVersionNumber(plan.backup.postgresVersion);
    const server = await findSuperuser(
      { host: socketDir, port, user: role, applicationName: "soar-base-backup", postgresMajor },
      { ...entrancesOf(plan.backup, role), signal },
    );
    const replayedLsn = await waitForReplay(plan, feed, { server, signal });
    onEvent?.({ type: "replayed", reachedLsn: replayedLsn, invalidPages: 0 });
    return {
      server,
      replayedLsn,
      tablespaces: new Map(plan.backup.tablespaces.map(({ oid, location }) => [oid, location])),
    };
  } catch (error) {
    // The server only knows that its restore_command failed.
    throw feed.failure() ?? error;
  }
}

/** Settings of the source that are kept in its data directory must not count here, and must be there for the backup. */
async function holdSettings(dataDir: string, aside: string): Promise<() => Promise<void>> {
  const [own, held] = [join(dataDir, AUTO_CONF), join(aside, AUTO_CONF)];
  // A link in its place is in no backup.
  const isThere = (await lstatIfPresent(own)) !== undefined;
  if (isThere) await moveEntry(own, held, SCRATCH_FILE);
  return async () => {
    if (isThere) await moveEntry(held, own, SCRATCH_FILE);
    else await removeFile(own, SCRATCH_FILE);
  };
}

/** A last record that goes on in a segment that is not whole cannot be replayed: then it counts that nothing moves any more. */
const SETTLED_POLLS = 5;

async function waitForReplay(
  plan: RestorePlan,
  feed: WalFeed,
  { server, signal }: { readonly server: ConnectionConfig; readonly signal: AbortSignal },
): Promise<bigint> {
  const { chain, resolved } = wholeSegments(plan);
  const isExact = chain.segments.length === plan.chain.segments.length;
  const wanted = isExact ? resolved.stopLsn : lsnOfSegmentIndex(chain.endIndex - 1, chain.segmentSize);
  await using connection = await connectSql(server, { signal });
  let last = -1n;
  for (let settled = 0; ; settled += 1) {
    signal.throwIfAborted();
    if (feed.failure() !== undefined) throw feed.failure() as Error;
    const [row] = await connection.query<{ lsn: string }>("SELECT pg_last_wal_replay_lsn()::text AS lsn", [], {
      signal,
    });
    const replayed = parseLsn(row?.lsn ?? "0/0");
    if (replayed !== last) settled = 0;
    if (replayed >= wanted && (isExact || settled >= SETTLED_POLLS)) return replayed;
    last = replayed;
    await delay(POLL_MS);
  }
}
