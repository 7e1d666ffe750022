import { chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { readClusterState, stopCluster } from "@soar/pg-tools/cluster";
import { processStart } from "../status/process-start.ts";
import { dropDatabase, type TargetServer } from "./target-database.ts";

type Owner = { readonly uid: number; readonly gid: number } | undefined;

const PREFIX = "soar-rescue-";
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

/** Makes an empty scratch directory. Rejects with `FILE_UNWRITABLE` or `CONFIG_INVALID`. */
export async function createScratchDirectory(tempDir: string, owner: Owner): Promise<ScratchDirectory> {
  await mkdir(tempDir, { recursive: true, mode: 0o755 }).catch((cause: Error) => {
    throw unwritable(tempDir, cause);
  });
  const path = await mkdtemp(join(tempDir, PREFIX)).catch((cause: Error) => {
    throw unwritable(tempDir, cause);
  });
  const place = describe(path);
  try {
    requireShortSocket(place.socketDir, tempDir);
    await writeFile(join(path, "pid"), `${process.pid} ${(await processStart(process.pid)) ?? ""}\n`);
    for (const directory of [place.dataDir, place.socketDir, place.tablespaceDir, place.walDir])
      await mkdir(directory, { mode: 0o700 });
    // The server writes its log itself, as its own user.
    await writeFile(place.logFile, "", { mode: 0o600 });
    if (owner !== undefined)
      for (const own of [path, place.dataDir, place.socketDir, place.tablespaceDir, place.walDir, place.logFile])
        await chown(own, owner.uid, owner.gid);
    return place;
  } catch (error) {
    await place.remove();
    throw error;
  }
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
export async function removeAbandoned(tempDir: string, targetServer?: TargetServer): Promise<Abandoned[]> {
  const names = await readdir(tempDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const removed: Abandoned[] = [];
  for (const name of names.filter((one) => one.startsWith(PREFIX))) {
    const place = describe(join(tempDir, name));
    if ((await isKeptThere(place.path)) || (await isInUse(place.path))) continue;
    // Before the note of it goes.
    const database = await dropNoted(place.path, targetServer);
    await place.remove();
    removed.push({ path: place.path, database });
  }
  return removed;
}

async function dropNoted(path: string, targetServer: TargetServer | undefined): Promise<Abandoned["database"]> {
  const [on, name] = (await readIfThere(join(path, NOTE)))?.trimEnd().split("\n") ?? [];
  if (on === undefined || name === undefined) return undefined;
  const isDropped = targetServer !== undefined && on === placeOf(targetServer);
  if (isDropped) await dropDatabase(targetServer, name);
  return { name, on, isDropped };
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

function describe(path: string): ScratchDirectory {
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
    noteDatabase: (name, server) => writeFile(join(path, NOTE), `${placeOf(server)}\n${name}\n`),
    async keep() {
      await writeFile(join(path, KEPT), "");
      isKept = true;
    },
    async remove() {
      if (isKept) return;
      // Nothing in it is worth an orderly end.
      if ((await readClusterState(dataDir)).running) await stopCluster({ dataDir, mode: "immediate" });
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Without a readable process id it is being made at this moment. Ids are given out again, so the time of the start counts, too. */
async function isInUse(path: string): Promise<boolean> {
  const [, id, began] = /^(\d+) (.*)\n$/.exec((await readIfThere(join(path, "pid"))) ?? "") ?? [];
  return id === undefined || (await processStart(Number(id))) === began;
}

async function readIfThere(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

function requireShortSocket(socketDir: string, tempDir: string): void {
  if (Buffer.byteLength(join(socketDir, ".s.PGSQL.65535")) <= LONGEST_SOCKET_PATH) return;
  throw new SoarError(
    "CONFIG_INVALID",
    `unable to run a scratch cluster in '${tempDir}': the path of its socket would be longer than ${LONGEST_SOCKET_PATH} bytes`,
    { hint: "Name a directory with a shorter path in BACKUP_TEMP_DIR." },
  );
}

function unwritable(path: string, cause: Error): SoarError {
  return new SoarError("FILE_UNWRITABLE", `unable to make a scratch directory in '${path}': ${cause.message}`, {
    cause,
    hint: "Name a directory that you may write to with --temp-dir or BACKUP_TEMP_DIR.",
  });
}
