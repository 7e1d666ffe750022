import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { replaceFile } from "@soar/durable-files";
import { hasErrorCode, SoarError } from "@soar/errors";
import { serverAnswerOf, type ConnectionConfig } from "@soar/pg-tools/replication";
import type { RecoveryOutcome } from "@soar/pg-tools/cluster";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { createCodecPool } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import { entrancesOf } from "../recover/entrances.ts";
import { recover } from "../recover/recovery-files.ts";
import { restoreCommand } from "../wal/restore-command.ts";
import type { RestorePlan } from "../plan/plan.ts";
import { enterScratch } from "./enter-scratch.ts";
import { fetchScope } from "./fetch-scope.ts";
import { readInvalidPages } from "./invalid-pages.ts";
import { SCRATCH_FULL, saysDiskFull } from "./run-client-program.ts";
import type { RescueScope } from "./rescue-scope.ts";
import { SCRATCH_FILE, type ScratchDirectory } from "./scratch-directory.ts";
import { findPreloadLibraries } from "../server-config/preload-libraries.ts";
import { scratchSettings } from "./scratch-settings.ts";
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
  if (fetched.doubt !== undefined) return fetched;
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
    return {
      directory,
      binDir: options.binDir,
      server: await enter(plan, { port, settings }, options, work),
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
  const { message, detail = "" } = serverAnswerOf(error) ?? {};
  return message !== undefined && HOLLOW.test(detail) ? `${message} (${detail})` : undefined;
}

/** The first that a server looks at of a database (ValidatePgVersion and InitPostgres): it was not fetched, because another one had its name in the backup. */
const HOLLOW = /PG_VERSION|^The database subdirectory /;

/** Whatever the rights of the role that the rescue came with. */
async function enter(
  { backup }: RestorePlan,
  { port, settings }: { readonly port: number; readonly settings: Readonly<Record<string, string>> },
  options: StartOptions,
  { database }: Work,
): Promise<ConnectionConfig> {
  const { directory, role, signal } = options;
  const { roles, databases } = entrancesOf(backup, role);
  const postgresMajor = majorOfVersionNumber(backup.postgresVersion);
  return await enterScratch(
    { host: directory.socketDir, port, user: role, applicationName: "soar-restore", postgresMajor },
    { roles, databases: database === undefined ? databases : [database], signal },
    { ...options, settings, configFile: configFileOf(directory) },
  );
}

async function fetchFiles(
  store: ObjectStore,
  { backup }: RestorePlan,
  options: StartOptions,
  { choice, table }: Work,
): ReturnType<typeof fetchScope> {
  const { directory, owner, jobs, signal, onChosen, onEvent } = options;
  const pool = createCodecPool({ workers: jobs });
  try {
    return await fetchScope(store, {
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
      fenced: false,
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
  plan: RestorePlan,
  { directory, binDir, onEvent }: StartOptions,
): Promise<{ settings: Record<string, string>; port: number }> {
  const file = (name: string): string => join(directory.path, name);
  await replaceFile(configFileOf(directory), "", SCRATCH_FILE);
  // The socket's directory lets nobody in but its owner.
  await replaceFile(file("pg_hba.conf"), "local all all trust\n", SCRATCH_FILE);
  await replaceFile(file("pg_ident.conf"), "", SCRATCH_FILE);
  const { present, missing, unknown } = await findPreloadLibraries(plan.backup.settings, binDir);
  if (missing.length > 0) onEvent?.({ type: "libraries-missing", names: missing });
  if (unknown.length > 0) onEvent?.({ type: "libraries-unknown", names: unknown });
  const port = await findFreePort();
  return {
    port,
    settings: scratchSettings(
      plan,
      {
        dataDir: directory.dataDir,
        socketDir: directory.socketDir,
        hbaFile: file("pg_hba.conf"),
        identFile: file("pg_ident.conf"),
        port,
      },
      { libraries: present, standby: false },
    ),
  };
}

/** Nobody connects to it, but two servers on one machine may not have the same. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
