import { isRoot, statIfPresent } from "@soar/durable-files";
import { type ProgramOwner, type ProgramResult, runIfPresent, runProgram } from "@soar/programs";

export interface UserOptions {
  /** Whose rights count; undefined for our own. */
  readonly user: ProgramOwner | undefined;
  readonly searchPath: string;
  readonly signal: AbortSignal | undefined;
}

/** What systemd and cron start services with. */
export const USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** A network file system may hang. */
const PATIENCE_MS = 10_000;
/** What setpriv ends with when it cannot become the user (setpriv.1). */
const CANNOT_BECOME = 127;

/**
 * Who runs the programs of this machine: for root, whoever owns the data directory, or the env file where that cannot be seen.
 * Undefined when it is who asks.
 */
export async function findProgramUser(...owned: readonly (string | undefined)[]): Promise<ProgramOwner | undefined> {
  if (!isRoot()) return undefined;
  for (const path of owned) {
    const stats = path === undefined ? undefined : await statIfPresent(path);
    if (stats !== undefined) return stats.uid === 0 ? undefined : { uid: stats.uid, gid: stats.gid };
  }
  return undefined;
}

/** Runs lines for `sh` with the rights of a user, all of its groups among them: the collector's directory may be a group's. */
export async function runAsUser(
  script: string,
  args: readonly string[],
  { user, searchPath, signal }: UserOptions,
): Promise<ProgramResult> {
  const env = { PATH: `${searchPath}:${USUAL_PATH}`, LC_ALL: "C" };
  const options = { env, timeoutMs: PATIENCE_MS, signal };
  const shell = ["/bin/sh", "-c", script, "sh", ...args] as const;
  if (user === undefined) return await runProgram(shell[0], shell.slice(1), options);
  const become = [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--", ...shell];
  const result = await runIfPresent("setpriv", become, options);
  if (result !== undefined && result.status !== CANNOT_BECOME) return result;
  return await runProgram(shell[0], shell.slice(1), { ...options, owner: user });
}
