import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { replaceFile } from "@soar/durable-files";
import { hasErrorCode, SoarError } from "@soar/errors";
import { connectSql, type ConnectionConfig } from "@soar/pg-tools/replication";
import type { RecoveryOutcome } from "@soar/pg-tools/cluster";
import { createCodecPool } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import { chownTree } from "../chown-tree.ts";
import { recover } from "../recover/recovery-files.ts";
import { restoreCommand } from "../wal/restore-command.ts";
import type { RestorePlan } from "../plan/plan.ts";
import { fetchScope, type FetchedScope } from "./fetch-scope.ts";
import { readInvalidPages } from "./invalid-pages.ts";
import { SCRATCH_FULL, saysDiskFull } from "./run-client-program.ts";
import type { RescueScope } from "./rescue-scope.ts";
import { SCRATCH_FILE, type ScratchDirectory } from "./scratch-directory.ts";
import { findPreloadLibraries, scratchSettings } from "./scratch-settings.ts";
import type { ScratchCluster, ScratchOptions, ScratchWork } from "./scratch-types.ts";
import { openWalFeed, type WalFeed } from "./wal-feed.ts";

export interface StartOptions extends ScratchOptions {
  readonly binDir: string;
  readonly directory: ScratchDirectory;
  onChosen(scope: RescueScope): Promise<void>;
}

type Started = ScratchCluster | { readonly doubt: string };
type Work = Pick<ScratchWork<unknown>, "choice" | "table" | "database">;

const INVALID_PAGES = "WAL contains references to invalid pages";

/** Fetches, replays, and logs in; or tells what speaks against the choice of files. Leaves a server behind, also on failure. */
export async function startScratch(
  store: ObjectStore,
  plan: RestorePlan,
  options: StartOptions,
  work: Work,
): Promise<Started> {
  const { directory, owner, onEvent } = options;
  const fetched = await fetchFiles(store, plan, options, work);
  onEvent?.({ type: "replaying" });
  const feed = await openWalFeed(store, plan, {
    directory: directory.walDir,
    owner,
    jobs: options.jobs,
    signal: options.signal,
  });
  try {
    const { outcome, port, settings } = await replay(plan, feed, options, work);
    const pages = await readInvalidPages(directory.logFile, fetched.placeholders);
    onEvent?.({ type: "replayed", reachedLsn: outcome.reachedLsn, invalidPages: pages.count });
    if (pages.relations.length > 0)
      return { doubt: `recovery missed pages of relations that were fetched: ${pages.relations.join(", ")}` };
    const server = {
      host: directory.socketDir,
      port,
      user: options.role,
      database: work.database,
      applicationName: "soar-restore",
    };
    return {
      directory,
      binDir: options.binDir,
      server: await asSuperuser(server, options),
      settings,
      configFile: configFileOf(directory),
      placeholders: fetched.placeholders,
      outcome,
      fetchedBytes: { backup: fetched.fetchedBytes, wal: feed.fetchedBytes() },
    };
  } catch (error) {
    const doubt = work.choice.kind === "cluster" ? undefined : doubtIn(error);
    if (doubt === undefined) throw error;
    return { doubt };
  } finally {
    await feed.close();
  }
}

/** Failures that files which were not fetched can be the reason of. */
function doubtIn(error: unknown): string | undefined {
  if (hasErrorCode(error, "RECOVERY_FAILED")) return error.message.includes(INVALID_PAGES) ? error.message : undefined;
  // The database has another name at the target, or another one has its name now.
  return hasErrorCode(error, "SERVER_FAILED", "SERVER_UNSUITABLE", "SERVER_UNREACHABLE") ? error.message : undefined;
}

async function fetchFiles(
  store: ObjectStore,
  { backup }: RestorePlan,
  options: StartOptions,
  { choice, table }: Work,
): Promise<FetchedScope> {
  const { directory, owner, jobs, signal, onChosen, onEvent } = options;
  const pool = createCodecPool({ workers: jobs });
  try {
    const fetched = await fetchScope(store, {
      backup,
      table,
      choice,
      onChosen,
      ...directory,
      owner,
      pool,
      jobs,
      signal,
      onProgress: (bytes) => onEvent?.({ type: "fetched", bytes }),
    });
    if (owner !== undefined) await chownTree([directory.dataDir, directory.tablespaceDir], owner);
    return fetched;
  } finally {
    await pool.close();
  }
}

async function replay(
  plan: RestorePlan,
  feed: WalFeed,
  options: StartOptions,
  { choice }: Work,
): Promise<{ outcome: RecoveryOutcome; port: number; settings: Record<string, string> }> {
  const { directory, binDir, owner, signal, onEvent } = options;
  const { settings, port } = await prepareServer(plan, options);
  try {
    const outcome = await recover(plan, {
      dataDir: directory.dataDir,
      binDir,
      owner,
      configFile: configFileOf(directory),
      // Pages of placeholders may be missing without harm; what is said of each of them is read afterwards.
      settings: choice.kind === "cluster" ? settings : { ...settings, ignore_invalid_pages: "on" },
      env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
      logFile: directory.logFile,
      restoreCommand: restoreCommand(feed.program),
      action: "promote",
      signal,
      ...(onEvent === undefined ? {} : { onEvent }),
    });
    return { outcome, port, settings };
  } catch (error) {
    // The server only knows that its restore_command failed.
    throw feed.failure() ?? explainFullDisk(error, options);
  }
}

/** The server's own words, with what to do. */
function explainFullDisk(error: unknown, { tempDir }: Pick<StartOptions, "tempDir">): unknown {
  if (!hasErrorCode(error, "RECOVERY_FAILED", "SERVER_START_FAILED") || !saysDiskFull(error.message)) return error;
  return new SoarError("DISK_FULL", `unable to replay WAL in '${tempDir}': the file system is full: ${error.message}`, {
    cause: error,
    hint: SCRATCH_FULL,
  });
}

function configFileOf({ path }: ScratchDirectory): string {
  return join(path, "postgresql.conf");
}

/** Writes the files that a server cannot do without, and chooses its settings. */
async function prepareServer(
  { backup, minimums }: RestorePlan,
  { directory, binDir, owner, onEvent }: StartOptions,
): Promise<{ settings: Record<string, string>; port: number }> {
  const file = (name: string): string => join(directory.path, name);
  await replaceFile(configFileOf(directory), "", SCRATCH_FILE);
  // The socket's directory lets nobody in but its owner.
  await replaceFile(file("pg_hba.conf"), "local all all trust\n", SCRATCH_FILE);
  await replaceFile(file("pg_ident.conf"), "", SCRATCH_FILE);
  const { present, missing } = await findPreloadLibraries(backup.settings["shared_preload_libraries"] ?? "", binDir);
  if (missing.length > 0) onEvent?.({ type: "libraries-missing", names: missing });
  if (owner !== undefined) await chownTree([directory.dataDir], owner);
  const port = await findFreePort();
  return {
    port,
    settings: scratchSettings(
      minimums,
      {
        dataDir: directory.dataDir,
        socketDir: directory.socketDir,
        hbaFile: file("pg_hba.conf"),
        identFile: file("pg_ident.conf"),
        port,
      },
      present,
    ),
  };
}

/** The rescue reads everything, whatever the rights of the role that it came with. */
export async function asSuperuser(
  server: ConnectionConfig,
  { signal }: Pick<StartOptions, "signal">,
): Promise<ConnectionConfig> {
  await using connection = await connectSql(server, { signal });
  const [row] = await connection.query<{ name: string }>(
    "SELECT rolname AS name FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY rolname <> current_user, oid LIMIT 1",
  );
  if (row !== undefined) return { ...server, user: row.name };
  throw new SoarError("SERVER_DENIED", "the source had no superuser that may log in at the target", {
    hint: "Restore the whole cluster to a directory of its own instead: soar-restore --data-dir.",
  });
}

/** Nobody connects to it, but two servers on one machine may not have the same. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
