import { join } from "node:path";
import { makeDirectory, type Owner, replaceFile } from "@soar/durable-files";
import { makeTemporaryDirectory, removeTree } from "@soar/durable-files/directories";
import { inDataDirectory, RESTORE_STATE_DIRECTORY } from "../data-directory.ts";

/** The path of a socket has at most so many bytes, its own name included (sockaddr_un). */
const LONGEST_SOCKET_PATH = 107;
const LONGEST_SOCKET_NAME = "/.s.PGSQL.65535";
/** For data directories whose paths are too long. */
const SHORT_PARENT = "/tmp";
const SHORT_NAME = /^\/tmp\/soar-restore-[A-Za-z0-9]{6}$/;

/**
 * A directory for the socket of a server that nobody from outside may reach before it is proved. Only its owner and root
 * can enter it, so that whoever gets there needs no password. It lies in the data directory, with which it goes, wherever
 * that has a path that is short enough.
 *
 * @param note Keeps the path in the record of the restore: awaited before there is a directory, which else nobody would know of
 *   after a kill in between.
 */
export async function createPrivateDirectory(
  dataDir: string,
  owner: Owner | undefined,
  note: (directory: string) => Promise<void>,
): Promise<string> {
  const own = ownPlace(dataDir);
  const isShort = Buffer.byteLength(own + LONGEST_SOCKET_NAME) <= LONGEST_SOCKET_PATH;
  if (isShort) await note(own);
  const directory = isShort
    ? own
    : await makeTemporaryDirectory(SHORT_PARENT, "soar-restore-", { owner, beforeMade: note });
  const within = isShort ? inDataDirectory(dataDir, owner) : { base: directory, owner };
  // A server that a crash has ended gets a new directory.
  const access = { owner, sync: "none", within } as const;
  if (isShort) await makeDirectory(directory, { ...access, mode: 0o700 });
  await replaceFile(join(directory, "pg_hba.conf"), "local all all trust\n", { ...access, mode: 0o600 });
  return directory;
}

function ownPlace(dataDir: string): string {
  return join(dataDir, RESTORE_STATE_DIRECTORY, "socket");
}

/** Settings on the command line with which a server can be reached through the private directory only; see `quietSettings` for whom it reaches. */
export function privateSettings(directory: string): Record<string, string> {
  return {
    listen_addresses: "",
    unix_socket_directories: directory,
    unix_socket_permissions: "0700",
    hba_file: join(directory, "pg_hba.conf"),
    // A pid file at a fixed place may be that of the server beside it.
    external_pid_file: join(directory, "server.pid"),
  };
}

/** Removes what `createPrivateDirectory` made, and nothing else: it is named by a record that its owner can write. */
export async function removePrivateDirectory(
  dataDir: string,
  directory: string | undefined,
  owner: Owner | undefined,
): Promise<void> {
  if (directory === undefined) return;
  if (directory === ownPlace(dataDir))
    await removeTree(directory, { sync: "none", within: inDataDirectory(dataDir, owner) });
  else if (SHORT_NAME.test(directory)) await removeTree(directory, { sync: "none", owner });
}
