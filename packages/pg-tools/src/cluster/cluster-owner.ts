import { ownerOf, statIfPresent } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { runProgram } from "@soar/programs";

export interface ClusterOwner {
  readonly uid: number;
  readonly gid: number;
}

/** A program with its arguments, ready to be spawned as the owner. */
export interface OwnerCommand {
  readonly path: string;
  readonly args: readonly string[];
  /** For spawn, where the program itself does not change the user. */
  readonly owner: ClusterOwner | undefined;
}

const SETPRIV = "/usr/bin/setpriv";
/** The system may ask a directory service that does not answer. */
const PATIENCE_MS = 30_000;

/**
 * Who has to run the server: the owner of the data directory, as PostgreSQL demands. Rejects with
 * `SERVER_START_FAILED` when that is root, whom PostgreSQL refuses, or somebody that we are not and cannot become.
 */
export async function requireOwner(dataDir: string): Promise<ClusterOwner> {
  const { uid, gid } = await ownerOf(dataDir);
  /* v8 ignore next -- only Windows has no user ids, and no server of ours runs there */
  const self = process.getuid?.() ?? uid;
  if (uid === 0) {
    throw new SoarError(
      "SERVER_START_FAILED",
      `unable to start the server of '${dataDir}': the directory belongs to root`,
      { hint: `Give it to the server's user: chown -R postgres: '${dataDir}'.` },
    );
  }
  /* v8 ignore next -- tests run as root, who may become anybody, or as the one user to whom all of their files belong */
  if (self !== 0 && self !== uid) {
    throw new SoarError(
      "SERVER_START_FAILED",
      `unable to start the server of '${dataDir}': it belongs to user ${uid} and this is user ${self}`,
      { hint: "Run this as root or as the user that owns the data directory." },
    );
  }
  return { uid, gid };
}

/**
 * Drops from root to the owner with all of its groups: Node's own change of user drops them, and on Debian the server
 * reads its TLS key as a member of `ssl-cert`.
 */
export async function asOwner(
  { uid, gid }: ClusterOwner,
  path: string,
  args: readonly string[],
): Promise<OwnerCommand> {
  /* v8 ignore start -- tests run as root or not, with setpriv or without it, and their servers as a user with an account or not */
  if (process.getuid?.() !== 0) return { path, args, owner: undefined };
  if ((await statIfPresent(SETPRIV)) === undefined) return { path, args, owner: { uid, gid } };
  const groups = (await hasAccount(uid)) ? "--init-groups" : "--clear-groups";
  return { path: SETPRIV, args: [`--reuid=${uid}`, `--regid=${gid}`, groups, "--", path, ...args], owner: undefined };
  /* v8 ignore stop */
}

/** A container may own the directory with a number that has no name here. `id -un` of such a number fails. */
async function hasAccount(uid: number): Promise<boolean> {
  const options = { env: { PATH: "/usr/bin:/bin" }, timeoutMs: PATIENCE_MS };
  return (await runProgram("id", ["-un", String(uid)], options)).status === 0;
}
