import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/**
 * Whether the server that runs this as its restore_command is a standby, which asks for a file again and again until it is there.
 * PostgreSQL runs the command in its data directory, and removes the file when it is promoted.
 *
 * @param isTold whether the command line says so
 */
export function isStandby(isTold: boolean): boolean {
  return isTold || existsSync("standby.signal");
}

/**
 * The data directory that a file is wanted for: the server names it relative to its own, `pg_rewind` by the target's path. Undefined
 * where there is none around it, as when somebody fetches a file by hand.
 *
 * @param path of the command's `%p`
 */
export function dataDirOf(path: string): string | undefined {
  const directory = resolve(dirname(path), "..");
  return existsSync(join(directory, "global", "pg_control")) ? directory : undefined;
}
