import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  isRoot,
  lockState,
  makeDirectory,
  namesIfPresent,
  type Owner,
  type ProcessLock,
  readTextIfPresent,
  replaceFile,
  tryLock,
} from "@soar/durable-files";
import { makeTemporaryDirectory, removeTree } from "@soar/durable-files/directories";
import { isProcessAlive } from "@soar/durable-files/processes";
import { SoarError } from "@soar/errors";
import { readClusterState, stopCluster } from "@soar/pg-tools/cluster";
import { dropDatabase, isNameBeside, type TargetServer } from "./target-database.ts";

/** Nothing of a scratch server is worth being found after a crash. As root its files belong to whom the directory belongs to. */
export const SCRATCH_FILE = { mode: 0o600, sync: "none" } as const;

const PREFIX = "soar-rescue-";
/** Held as long as the rescue lives, wherever that is seen from. */
const LOCK = "lock";
const BEING_MADE_MS = 3600_000;
const HINT = "Name a directory that you may write to with --temp-dir or BACKUP_TEMP_DIR.";
/** Of a unix socket's path, which ends in `/.s.PGSQL.65535`. */
const LONGEST_SOCKET_PATH = 107;

/** Everything of one rescue on disk. */
export interface ScratchDirectory {
  readonly path: string;
  readonly dataDir: string;
  readonly socketDir: string;
  readonly tablespaceDir: string;
  readonly walDir: string;
  readonly dumpDir: string;
  readonly logFile: string;
  /** Notes a database that is loaded under a name of its own, so that it can be found when this process is killed. */
  noteDatabase(name: string, server: TargetServer): Promise<void>;
  /** From now on nothing removes it but the operator. */
  keep(): Promise<void>;
  /** Stops the server that may run here and removes everything, unless it is to be kept. */
  remove(): Promise<void>;
}

/** Makes an empty scratch directory. Rejects with `FILE_UNWRITABLE`, `DISK_FULL` or `CONFIG_INVALID`. */
export async function createScratchDirectory(tempDir: string, owner: Owner | undefined): Promise<ScratchDirectory> {
  await makeDirectory(tempDir, { mode: 0o755, sync: "none", hint: HINT });
  const path = await makeTemporaryDirectory(tempDir, PREFIX, { owner, hint: HINT });
  const lock = await tryLock(join(path, LOCK), { base: path, owner });
  const place = describe(path, "release" in lock ? lock : undefined);
  try {
    requireShortSocket(place.socketDir, tempDir);
    for (const directory of [place.dataDir, place.socketDir, place.tablespaceDir, place.walDir])
      await makeDirectory(directory, { mode: 0o700, sync: "none", owner, within: { base: path, owner } });
    // The server writes its log itself, as its own user.
    await replaceFile(place.logFile, "", SCRATCH_FILE);
    return place;
  } catch (error) {
    await place.remove();
    throw error;
  }
}

export interface AbandonedOptions {
  /** Who runs the servers, where this is root. */
  readonly owner?: Owner | undefined;
  /** The server that a database may have been loaded into. */
  readonly targetServer?: TargetServer | undefined;
}

/** What a rescue left whose process was killed. */
export interface Abandoned {
  /** The scratch directory, which is gone now. */
  readonly path: string;
  /** A database that was being loaded. */
  readonly database: { readonly name: string; readonly on: string; readonly isDropped: boolean } | undefined;
}

/**
 * Removes what rescues left whose process was killed; a server of theirs may still run, and a database that nobody else
 * has ever known be half loaded. It is dropped when it is on the server that is asked for.
 */
export async function removeAbandoned(
  tempDir: string,
  { owner, targetServer }: AbandonedOptions = {},
): Promise<Abandoned[]> {
  const names = (await namesIfPresent(tempDir)) ?? [];
  const removed: Abandoned[] = [];
  for (const name of names.filter((one) => one.startsWith(PREFIX))) {
    const place = describe(join(tempDir, name));
    if (!(await isOurs(place.path, owner)) || (await isKeptThere(place.path)) || (await isInUse(place.path))) continue;
    // Before the note of it goes.
    const database = await dropNoted(place.path, targetServer);
    await place.remove();
    removed.push({ path: place.path, database });
  }
  return removed;
}

async function dropNoted(path: string, targetServer: TargetServer | undefined): Promise<Abandoned["database"]> {
  const [on, name] = (await readWithin(path, NOTE))?.trimEnd().split("\n") ?? [];
  // Nothing that had its name before a rescue is ever dropped.
  if (on === undefined || name === undefined || !isNameBeside(name)) return undefined;
  const isDropped = targetServer !== undefined && on === placeOf(targetServer);
  if (isDropped) await dropDatabase(targetServer, name);
  return { name, on, isDropped };
}

/** Anybody may make directories where scratch clusters lie: what one of them says counts only of a rescue by us, or for us by root. */
async function isOurs(path: string, owner: Owner | undefined): Promise<boolean> {
  const found = await lstat(path);
  const users = isRoot() ? [0, owner?.uid] : [process.geteuid?.()];
  return found.isDirectory() && users.includes(found.uid);
}

async function readWithin(path: string, name: string): Promise<string | undefined> {
  return await readTextIfPresent(join(path, name), { within: { base: path } });
}

const NOTE = "loading";

function placeOf({ server }: TargetServer): string {
  return `${server.host}:${server.port}`;
}

/** A file with this name says that somebody wants to look around. */
const KEPT = "kept";

async function isKeptThere(path: string): Promise<boolean> {
  return (await readdir(path)).includes(KEPT);
}

function describe(path: string, lock?: ProcessLock): ScratchDirectory {
  const dataDir = join(path, "data");
  let isKept = false;
  return {
    path,
    dataDir,
    socketDir: join(path, "s"),
    tablespaceDir: join(path, "tablespaces"),
    walDir: join(path, "wal"),
    dumpDir: join(path, "dump"),
    logFile: join(path, "server.log"),
    noteDatabase: (name, server) => replaceFile(join(path, NOTE), `${placeOf(server)}\n${name}\n`, SCRATCH_FILE),
    async keep() {
      await replaceFile(join(path, KEPT), "", SCRATCH_FILE);
      isKept = true;
    },
    async remove() {
      try {
        if (isKept) return;
        // Nothing in it is worth an orderly end.
        if ((await readClusterState(dataDir)).running) await stopCluster({ dataDir, mode: "immediate" });
        await removeTree(path, { sync: "none" });
      } finally {
        await lock?.release();
      }
    },
  };
}

/** Whether the rescue lives, or the directory is being made at this moment and not locked yet. */
async function isInUse(path: string): Promise<boolean> {
  const state = await lockState(path, LOCK);
  if (state !== "none") return state === "held";
  // Of a version that noted its process id and held no lock. Ids are given out again, so the time of the start counts, too.
  const [, id, began] = /^(\d+) (.*)\n$/.exec((await readWithin(path, "pid")) ?? "") ?? [];
  if (id !== undefined) return await isProcessAlive(Number(id), began ?? "");
  return Date.now() - (await lstat(path)).ctimeMs < BEING_MADE_MS;
}

function requireShortSocket(socketDir: string, tempDir: string): void {
  if (Buffer.byteLength(join(socketDir, ".s.PGSQL.65535")) <= LONGEST_SOCKET_PATH) return;
  throw new SoarError(
    "CONFIG_INVALID",
    `unable to run a scratch cluster in '${tempDir}': the path of its socket would be longer than ${LONGEST_SOCKET_PATH} bytes`,
    { hint: "Name a directory with a shorter path in BACKUP_TEMP_DIR." },
  );
}
