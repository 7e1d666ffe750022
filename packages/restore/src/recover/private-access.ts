import { chown, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "@soar/durable-files";
import type { ServerUser } from "../chown-tree.ts";

/** Short, because the path of a socket may have 107 bytes. */
const PARENT = "/tmp";
const NAME = /^\/tmp\/soar-restore-[A-Za-z0-9]{6}$/;

/**
 * A directory for the socket of a server that nobody from outside may reach before it is proved. Only its owner and root
 * can enter it, so that whoever gets there needs no password.
 */
export async function createPrivateDirectory(owner: ServerUser | undefined): Promise<string> {
  const directory = await mkdtemp(join(PARENT, "soar-restore-"));
  // A server that a crash has ended gets a new directory.
  await replaceFile(join(directory, "pg_hba.conf"), "local all all trust\n", { mode: 0o600, owner, sync: "none" });
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
  return directory;
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

/** Removes what `createPrivateDirectory` made, and nothing else. */
export async function removePrivateDirectory(directory: string | undefined): Promise<void> {
  if (directory !== undefined && NAME.test(directory)) await rm(directory, { recursive: true, force: true });
}
