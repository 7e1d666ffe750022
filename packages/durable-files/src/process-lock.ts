import { lstat, readdir, rm } from "node:fs/promises";
import { createConnection, createServer, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { linkUnlessThere } from "./link-unless-there.ts";
import { type HeldDirectory, holdDirectory, type Within } from "./held-directory.ts";
import type { Owner } from "./owner.ts";
import { writing } from "./replace-file.ts";
import { setSocketAttributes } from "./socket-attributes.ts";
import { discard, makeBeside } from "./temporary-file.ts";
import { meansAbsent, systemErrorCode } from "./unwritable.ts";

export interface ProcessLock {
  release(): Promise<void>;
}

/** Process id of who holds the lock, as it sees itself, for messages. */
export interface LockHolder {
  readonly processId: string;
}

/** A process that is too busy, or stopped, holds the lock all the same. */
const ANSWERS_WITHIN_MS = 500;
const UNKNOWN: LockHolder = { processId: "unknown" };

/**
 * Takes a lock that is a unix socket on which its holder listens. The kernel says whether anybody does: not a process id or
 * the number of a boot, which look different from another container or unit. A dead process holds nothing. Rejects with
 * `FILE_UNWRITABLE` or `DISK_FULL` when the directory cannot be written. `within` as for files.
 */
export async function tryLock(path: string, within?: Within): Promise<ProcessLock | LockHolder> {
  return await writing(path, undefined, async () => {
    for (;;) {
      const outcome = await attempt(path, within);
      if (outcome !== undefined) return outcome;
    }
  });
}

/** Undefined when it is worth trying again. */
async function attempt(path: string, within: Within | undefined): Promise<ProcessLock | LockHolder | undefined> {
  await using directory = await reach(path, within);
  const lock = await claim(directory, basename(path));
  if (lock !== undefined) {
    const identity = await identityOf(directory.at(basename(path)));
    return { release: () => unlock(path, within, { server: lock, identity }) };
  }
  const found = await ask(directory.at(basename(path)));
  if (found === "abandoned") await removeAbandoned(path, within, directory);
  return typeof found === "object" ? found : undefined;
}

/** Whether a process that lives holds the lock. */
export async function isHeld(path: string, within?: Within): Promise<boolean> {
  try {
    await using directory = await reach(path, within);
    return typeof (await ask(directory.at(basename(path)))) === "object";
  } catch (error) {
    if (meansAbsent(error)) return false;
    throw error;
  }
}

/** By a descriptor: the path of a socket may have 107 bytes only. */
async function reach(path: string, within: Within | undefined): Promise<HeldDirectory> {
  return await holdDirectory(dirname(path), within ?? { base: dirname(path) });
}

/** The socket gets its name when it is listened on, so that nobody takes it for an abandoned one. Undefined when the name is taken. */
async function claim(directory: HeldDirectory, name: string): Promise<Server | undefined> {
  const { made: server, path: temporary } = await makeBeside(directory, name, listen);
  try {
    await setSocketAttributes(temporary, directory.owner);
    const isOurs = await linkUnlessThere(temporary, directory.at(name));
    await rm(temporary);
    if (isOurs) return server;
  } catch (cause) {
    server.close();
    throw await discard(temporary, cause);
  }
  server.close();
  return undefined;
}

/** What lies there of a process that died under the same id has its name. */
function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.on("error", () => undefined).end(`${process.pid}\n`));
    server.once("error", (error) =>
      reject(systemErrorCode(error) === "EADDRINUSE" ? Object.assign(error, { code: "EEXIST" }) : error),
    );
    server.listen(path, () => resolve(server));
    // Who holds a lock need not live for it.
    server.unref();
  });
}

async function ask(path: string): Promise<LockHolder | "abandoned" | "absent"> {
  const found = await lstat(path).catch(ignoreAbsent);
  if (found === undefined) return "absent";
  // A link is not followed to somebody else's socket.
  return found.isSocket() ? await askSocket(path) : "abandoned";
}

function askSocket(path: string): Promise<LockHolder | "abandoned" | "absent"> {
  return new Promise((resolve, reject) => {
    let isConnected = false;
    let answer = "";
    const socket = createConnection(path);
    const timer = setTimeout(() => socket.destroy(), ANSWERS_WITHIN_MS);
    socket.setEncoding("utf8");
    socket.on("connect", () => (isConnected = true));
    socket.on("data", (text: string) => (answer += text));
    socket.on("error", (error) => {
      if (isConnected || systemErrorCode(error) === "EAGAIN") resolve(UNKNOWN);
      else if (systemErrorCode(error) === "ECONNREFUSED") resolve("abandoned");
      // Let go of in the very moment in which it was asked.
      else if (meansAbsent(error) || systemErrorCode(error) === "ECONNRESET") resolve("absent");
      else reject(error);
    });
    socket.on("close", () => {
      clearTimeout(timer);
      const [processId] = /^\d+(?=\n)/.exec(answer) ?? [];
      resolve(processId === undefined ? UNKNOWN : { processId });
    });
  });
}

/**
 * Only one process at a time may remove what a dead one left, and looks once more: else a slower one would remove the lock that a
 * faster one has taken meanwhile.
 */
async function removeAbandoned(path: string, within: Within | undefined, directory: HeldDirectory): Promise<void> {
  const place = directory.at(basename(path));
  const left = await identityOf(place);
  if (left === undefined) return;
  const right = await tryLock(`${path}.${left}`, within);
  if (!("release" in right)) return;
  try {
    if ((await identityOf(place)) === left) await rm(place, { force: true });
  } finally {
    await right.release();
  }
}

async function identityOf(place: string): Promise<string | undefined> {
  const found = await lstat(place, { bigint: true }).catch(ignoreAbsent);
  // Short, because it becomes part of the path of a socket.
  return found && `${found.ino.toString(36)}-${(found.ctimeNs % 3_600_000_000_000n).toString(36)}`;
}

function ignoreAbsent(error: unknown): undefined {
  if (meansAbsent(error)) return undefined;
  throw error;
}

interface Held {
  readonly server: Server;
  readonly identity: string | undefined;
}

/**
 * The name goes first: a name without a listener would be an abandoned one. Where the directory went with the lock in it, the
 * name may be another's by now.
 */
async function unlock(path: string, within: Within | undefined, { server, identity }: Held): Promise<void> {
  await writing(path, undefined, async () => {
    await using directory = await reach(path, within).catch(ignoreAbsent);
    const place = directory?.at(basename(path));
    if (place !== undefined && (await identityOf(place)) === identity) await rm(place, { force: true });
  });
  server.close();
}

/**
 * What a directory's lock says of the process that made the directory: it lives (`held`), it has ended (`left`), or there is
 * none, which a process that has only begun has not made yet. In this order of looks: a lock that is taken in between is held.
 */
export async function lockState(directory: string, name: string, owner?: Owner): Promise<"held" | "left" | "none"> {
  const isThere = (await readdir(directory)).includes(name);
  if (await isHeld(join(directory, name), { base: directory, owner })) return "held";
  return isThere ? "left" : "none";
}
