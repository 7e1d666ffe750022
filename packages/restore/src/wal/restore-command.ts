import { SoarError } from "@soar/errors";
import { quoteForShell } from "@soar/programs";

/** The private status with which our program says "proved not to be part of this recovery" to the shell line around it. */
export const ABSENT_STATUS = 100;

/** Where ready segments lie, for a shell line that takes them without running a program. */
export interface SpoolPlace {
  /** Absolute path. Whatever has the name of a WAL file in it has been checked and is part of the plan. */
  readonly directory: string;
  /** The process that fills it: while it lives, a segment that it is fetching is waited for. */
  readonly processId: number;
}

/** What a name in the spool ends with while its segment is being fetched. */
export const FETCHING_SUFFIX = ".fetching";

/** Turns of 50 ms that a segment in the making is waited for: more than a slow provider takes, and no more than that. */
const WAIT_TURNS = 1200;

/**
 * The `restore_command` of a recovery. The mapping of statuses stands in the shell line itself, so that it holds whatever
 * is broken: only our program's own 0 means delivered, only its private 100 means absent, and everything else, a missing
 * Node, a missing program, a crash or a kill included, becomes 126, at which PostgreSQL stops instead of promoting (safety, trap 29).
 *
 * With a spool, a segment that is ready there costs one `mv`. Everything else, and whatever goes wrong with the spool, is
 * left to the program: the spool can deliver, but never end or stop a recovery.
 *
 * @param program words of the command line, up to the place of the file name (`node main.js wal-fetch --plan FILE`)
 */
export function restoreCommand(program: readonly string[], spool?: SpoolPlace): string {
  const words = program.map(quoteWord);
  const fetch = `${words.join(" ")} %f %p; case $? in 0) exit 0;; ${ABSENT_STATUS}) exit 1;; *) exit 126;; esac`;
  return spool === undefined ? fetch : `${takeFromSpool(spool)} ${fetch}`;
}

/**
 * `mv` into the same file system is one rename: the file is there wholly or not at all. It is tried once more after the
 * mark is gone, because the segment may have become ready between the two looks.
 */
function takeFromSpool({ directory, processId }: SpoolPlace): string {
  const ready = `${quoteWord(directory)}/%f`;
  const take = `mv -f ${ready} %p 2>/dev/null && exit 0;`;
  const busy = `[ -e ${ready}${FETCHING_SUFFIX} ] && [ -e /proc/${processId} ] && [ $n -lt ${WAIT_TURNS} ]`;
  return `${take} n=0; while ${busy}; do sleep 0.05 || break; n=$((n+1)); ${take} done; ${take}`;
}

/** A word for the shell in a setting where `%` begins a placeholder. */
function quoteWord(word: string): string {
  if (word.includes("\0") || word.includes("\n")) {
    throw new SoarError("CONFIG_INVALID", "unable to write restore_command: a path holds a line end", {
      hint: "Move the program or the directory to a path of ordinary characters.",
    });
  }
  return quoteForShell(word).replaceAll("%", "%%");
}
