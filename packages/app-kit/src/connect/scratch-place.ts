import { findServerUser } from "./find-server-user.ts";

/** Settings of every command that runs a scratch server. */
export interface ScratchConfig {
  readonly tempDir: string;
  readonly binDir: string | undefined;
  /** Who runs the server, when this runs as root. */
  readonly owner: string;
  readonly jobs: number;
  readonly username: string;
}

/** Where a scratch server runs, by whom, and with which programs. */
export interface ScratchPlace {
  readonly tempDir: string;
  readonly binDirs: readonly string[];
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly jobs: number;
  /** A role of the source to log in as. */
  readonly role: string;
}

/** Rejects with `CONFIG_INVALID` when there is no such user. */
export async function findScratchPlace({
  tempDir,
  binDir,
  owner,
  jobs,
  username,
}: ScratchConfig): Promise<ScratchPlace> {
  return {
    tempDir,
    binDirs: binDir === undefined ? [] : [binDir],
    owner: await findServerUser(owner),
    jobs,
    role: username,
  };
}
