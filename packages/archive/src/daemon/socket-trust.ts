import { lstatSync, statSync, type Stats } from "node:fs";
import { dirname } from "node:path";

/** Others than the owner may write. */
const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_OTHERS = 0o002;
const STICKY = 0o1000;

/**
 * What speaks against a directory as the place of the archiver's files, `'/var/lib/soar' belongs to user 1000`: whoever can put
 * files there can answer for the archiver that a segment is archived. Undefined when nothing does, or when there is none.
 * Imports nothing but Node, because PostgreSQL starts a process per segment that asks this.
 */
export function doubtOfDirectory(path: string): string | undefined {
  const found = statOf(path, statSync);
  if (found === undefined) return undefined;
  // Root asks for somebody else, in a directory that somebody gave to them.
  const self = process.geteuid?.() === 0 ? found.uid : process.geteuid?.();
  return doubtOf(path, found, self);
}

/** The same of a directory that a socket is going to lie in: in one like /tmp nobody exchanges what somebody else made. */
export function doubtOfSocketPlace(path: string): string | undefined {
  return ((statOf(path, statSync)?.mode ?? 0) & STICKY) === 0 ? doubtOfDirectory(path) : undefined;
}

/** The same of a socket, by what it is and where it lies. */
export function doubtOfSocket(path: string): string | undefined {
  const [socket, directory] = [statOf(path, lstatSync), statOf(dirname(path), statSync)];
  if (socket === undefined || directory === undefined) return undefined;
  if (!socket.isSocket()) return `'${path}' is no socket`;
  const self = process.geteuid?.();
  if (self === 0) {
    const above =
      doubtOf(dirname(path), directory, directory.uid) ?? doubtOfRootsOwn(dirname(dirname(path)), directory.uid);
    return above ?? doubtOf(path, socket, directory.uid);
  }
  // In a directory like /tmp nobody can exchange it who does not own it.
  const isShared = (directory.mode & STICKY) !== 0;
  return (isShared ? undefined : doubtOf(dirname(path), directory, self)) ?? doubtOf(path, socket, self);
}

/** Root believes a directory that root, or its own user, has been given the place for. */
function doubtOfRootsOwn(path: string, uid: number): string | undefined {
  const found = statOf(path, statSync);
  return found === undefined ? undefined : doubtOf(path, found, uid);
}

function doubtOf(path: string, { uid, gid, mode }: Stats, self: number | undefined): string | undefined {
  if (uid !== 0 && uid !== self) return `'${path}' belongs to user ${uid}`;
  // As /run/postgresql, which the group of the server's user may write to.
  const isGroups = (mode & WRITABLE_BY_GROUP) !== 0 && gid !== process.getegid?.() && process.geteuid?.() !== 0;
  if (isGroups || (mode & WRITABLE_BY_OTHERS) !== 0) return `others may write to '${path}'`;
  return undefined;
}

/** Undefined for what is not there, or may not be looked at. */
function statOf(path: string, look: (path: string) => Stats): Stats | undefined {
  try {
    return look(path);
  } catch (error) {
    if (error instanceof Error && "syscall" in error) return undefined;
    throw error;
  }
}
