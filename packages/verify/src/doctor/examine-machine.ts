import { access, constants, stat, statfs } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { meansAbsent, statIfPresent, systemErrorCode } from "@soar/durable-files";
import { hasErrorCode, messageOf } from "@soar/errors";
import { findPostgresPrograms } from "@soar/pg-tools/cluster";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import type { ServerFacts } from "@soar/pg-tools/replication";
import { complaintOf, runProgram } from "@soar/programs";
import { USUAL_PATH } from "./as-user.ts";
import type { Notes } from "./examination.ts";

export interface MachineExpectations {
  /** Undefined while the server cannot be asked; then only what needs no server is looked at. */
  readonly facts: ServerFacts | undefined;
  /** The env file that this run has read. */
  readonly envFile: string | undefined;
  readonly spoolDir: string;
  readonly tempDir: string;
  readonly searchPath: string;
  readonly binDir: string | undefined;
  readonly databaseBytes: number;
  readonly maxWalBytes: number;
}

const GIB = 1024 ** 3;
/** A launcher that tells its version does so at once. */
const LAUNCHER_PATIENCE_MS = 30_000;

/** What lies on this machine: programs, the launcher, the env file as the server's user sees it, room on its disks. */
export async function examineMachine(expected: MachineExpectations, notes: Notes): Promise<void> {
  const dataDir = await ownDataDirectory(expected.facts);
  if (expected.facts !== undefined && dataDir === undefined)
    notes.notice(
      "server-elsewhere",
      "the server's data directory cannot be seen from here",
      "Run the doctor on the server's machine, as its user or as root, to have launcher, env file and disks checked.",
    );
  if (dataDir !== undefined && expected.facts !== undefined) {
    await examineLauncher(expected.facts.archiveCommand, expected.searchPath, notes);
    await examineEnvFile(dataDir, expected, notes);
    await examineWalDisk(dataDir, expected, notes);
    await examineRoomForRestore(dataDir, expected, notes);
  }
  await examineDirectory(
    "spool",
    expected.spoolDir,
    { wantedBytes: GIB / 4, why: "the archiver keeps its acknowledgements there" },
    notes,
  );
  await examineDirectory(
    "temp",
    expected.tempDir,
    { wantedBytes: GIB, why: "scratch clusters, dumps and spools of restores lie there" },
    notes,
  );
  if (expected.facts !== undefined) await examinePrograms(expected.facts, expected.binDir, notes);
}

async function ownDataDirectory(facts: ServerFacts | undefined): Promise<string | undefined> {
  if (facts?.dataDirectory === undefined) return undefined;
  return stat(join(facts.dataDirectory, "global")).then(
    () => facts.dataDirectory,
    () => undefined,
  );
}

/** Runs what `archive_command` names, once, with --version. */
async function examineLauncher(archiveCommand: string, searchPath: string, notes: Notes): Promise<void> {
  const word = archiveCommand.trim().split(/\s+/)[0] ?? "";
  if (!word.includes("wal-archive")) return;
  const path = word.startsWith("/") ? word : await findInPath(word, searchPath);
  if (path === undefined)
    return notes.error(
      "launcher-missing",
      `archive_command runs '${word}', which is in none of ${USUAL_PATH.replaceAll(":", ", ")}`,
      "Install @soar/wal-archiver, or write the whole path of soar-wal-archive into archive_command.",
    );
  const { version, fact } = await askVersion(path, searchPath);
  if (fact === undefined) notes.ok("launcher", `${path} runs (${version})`);
  else
    notes.error(
      "launcher-broken",
      `archive_command runs '${path}', which ${fact}`,
      "Install @soar/wal-archiver again (npm install --global @soar/wal-archiver), and correct the path in archive_command.",
    );
}

/** What the program says of itself, or why it does not. */
async function askVersion(
  path: string,
  searchPath: string,
): Promise<{ readonly version?: string; readonly fact?: string }> {
  const env = { PATH: `${searchPath}:${USUAL_PATH}` };
  try {
    const result = await runProgram(path, ["--version"], { env, timeoutMs: LAUNCHER_PATIENCE_MS });
    if (result.status === 0) return { version: result.stdout.trim() };
    return { fact: `does not do what it should: ${complaintOf(result)}` };
  } catch (error) {
    if (!hasErrorCode(error, "PROGRAM_MISSING")) throw error;
    if (meansAbsent(error)) return { fact: "does not exist" };
    return {
      fact: systemErrorCode(error) === "EACCES" ? "may not be executed" : `does not run: ${messageOf(error.cause)}`,
    };
  }
}

async function findInPath(name: string, searchPath: string): Promise<string | undefined> {
  for (const directory of new Set(
    [...searchPath.split(delimiter), ...USUAL_PATH.split(delimiter)].filter((path) => path !== ""),
  )) {
    const path = join(directory, name);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

/** PostgreSQL runs the command as its own user, in an environment that sourced nothing. */
async function examineEnvFile(dataDir: string, { envFile, facts }: MachineExpectations, notes: Notes): Promise<void> {
  if (envFile === undefined)
    return notes.notice(
      "env-file",
      "there is no env file: the settings come from flags and this shell's environment, which archive_command does not see",
      "Write them to /etc/soar/backup-env (docs/backup-env.example), with mode 600 and the server's user as owner.",
    );
  const [file, directory] = [await stat(envFile), await stat(dataDir)];
  const named = /--env-file[= ](\S+)/.exec(facts?.archiveCommand ?? "")?.[1] ?? "/etc/soar/backup-env";
  if (file.uid !== directory.uid)
    return notes.error(
      "env-file-owner",
      `'${envFile}' does not belong to the server's user, who runs archive_command and may not read it`,
      `Run: chown --reference='${dataDir}' '${envFile}'`,
    );
  if (named !== envFile && (facts?.archiveCommand ?? "").includes("wal-archive"))
    return notes.warning(
      "env-file-other",
      `the doctor read '${envFile}', and archive_command reads '${named}'`,
      `Write --env-file ${envFile} into archive_command, or use '${named}' everywhere.`,
    );
  notes.ok("env-file", `'${envFile}' belongs to the server's user, and to nobody else`);
}

async function examineWalDisk(dataDir: string, { maxWalBytes }: MachineExpectations, notes: Notes): Promise<void> {
  const free = await freeBytes(join(dataDir, "pg_wal"));
  const fact = `${formatGib(free)} are free on the disk of pg_wal`;
  if (free < maxWalBytes / 4)
    notes.error(
      "wal-disk",
      fact,
      "The server stops when it is full. Make room elsewhere on it, or enlarge it; repair archiving first. Never remove files from pg_wal: see the runbook.",
    );
  else if (free < maxWalBytes * 2)
    notes.warning(
      "wal-disk",
      `${fact}, less than twice max_wal_size: an outage of the provider fills it soon`,
      "Enlarge it, or lower max_wal_size.",
    );
  else notes.ok("wal-disk", fact);
}

async function examineRoomForRestore(
  dataDir: string,
  { databaseBytes }: MachineExpectations,
  notes: Notes,
): Promise<void> {
  const free = await freeBytes(dirname(dataDir));
  if (free < databaseBytes)
    notes.notice(
      "restore-room",
      `${formatGib(free)} are free beside the data directory, and the cluster has ${formatGib(databaseBytes)}: a restore in place could not keep the old directory`,
      "Have another disk ready for a restore with --data-dir, or accept --discard-old-data.",
    );
  else notes.ok("restore-room", `a restore in place has room beside the old data directory (${formatGib(free)} free)`);
}

async function examineDirectory(
  kind: "spool" | "temp",
  path: string,
  { wantedBytes, why }: { readonly wantedBytes: number; readonly why: string },
  notes: Notes,
): Promise<void> {
  const found = await statIfPresent(path).catch((error: unknown) => systemErrorCode(error) ?? "");
  if (found === undefined || typeof found === "string")
    return notes.notice(
      `${kind}-missing`,
      `'${path}' ${found === undefined ? "does not exist" : `cannot be seen (${found})`}: ${why}`,
      `Create it for the server's user: install -d -m 700 -o postgres -g postgres '${path}'`,
    );
  const free = await freeBytes(path);
  if (free < wantedBytes)
    notes.warning(
      `${kind}-disk`,
      `only ${formatGib(free)} are free in '${path}': ${why}`,
      "Make room, or name another directory.",
    );
  else notes.ok(`${kind}-disk`, `${formatGib(free)} are free in '${path}'`);
}

/** A restore needs the server's own major; a rescue needs the client programs too. */
async function examinePrograms(
  { versionNumber }: ServerFacts,
  binDir: string | undefined,
  notes: Notes,
): Promise<void> {
  const major = majorOfVersionNumber(versionNumber);
  const searchPaths = binDir === undefined ? [] : [binDir];
  try {
    const found = await findPostgresPrograms({ major, searchPaths, required: ["postgres"] });
    const missing = ["pg_dump", "pg_restore", "psql", "pg_amcheck", "pg_verifybackup"].filter(
      (name) => !found.names.has(name),
    );
    if (missing.length > 0)
      notes.notice(
        "programs-partial",
        `PostgreSQL ${found.version} in ${found.binDir} lacks ${missing.join(", ")}`,
        "Rescues of single databases and tables need pg_dump, pg_restore and psql; drills use pg_amcheck.",
      );
    else notes.ok("programs", `the programs of PostgreSQL ${found.version} are in ${found.binDir}`);
  } catch (error) {
    if (!hasErrorCode(error, "PROGRAM_MISSING", "SERVER_VERSION")) throw error;
    notes.warning(
      "programs-missing",
      error.message,
      `${"hint" in error ? String(error.hint) : ""} Without them this machine cannot restore.`.trim(),
    );
  }
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

function formatGib(bytes: number): string {
  return bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`;
}
