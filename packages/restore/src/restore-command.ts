import { SoarError } from "@soar/errors";

/** The private status with which our program says "proved not to be part of this recovery" to the shell line around it. */
export const ABSENT_STATUS = 100;

/**
 * The `restore_command` of a recovery. The mapping of statuses stands in the shell line itself, so that it holds whatever
 * is broken: only our program's own 0 means delivered, only its private 100 means absent, and everything else, a missing
 * Node, a missing program, a crash or a kill included, becomes 126, at which PostgreSQL stops instead of promoting (safety, trap 29).
 *
 * @param program words of the command line, up to the place of the file name (`node main.js wal-fetch --plan FILE`)
 */
export function restoreCommand(program: readonly string[]): string {
  const words = program.map((word) => quoteForShell(word).replaceAll("%", "%%"));
  return `${words.join(" ")} %f %p; case $? in 0) exit 0;; ${ABSENT_STATUS}) exit 1;; *) exit 126;; esac`;
}

function quoteForShell(word: string): string {
  if (word.includes("\0") || word.includes("\n")) {
    throw new SoarError("CONFIG_INVALID", "unable to write restore_command: a path holds a line end", { hint: "Move the program or the directory to a path of ordinary characters." });
  }
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
