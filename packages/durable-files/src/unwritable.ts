import { isSoarError, messageOf, SoarError } from "@soar/errors";

/** What the error numbers of files mean; the number itself stands behind, for those who look it up. */
const FACTS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EDQUOT: "the disk quota is exhausted",
  EFBIG: "it would be larger than the file system or the limits of this process allow",
  EIO: "the disk reported an input/output error",
  EISDIR: "a directory has this name",
  ELOOP: "a symbolic link has this name",
  EMFILE: "this process has too many open files",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "there is no such file or directory",
  ENOSPC: "the file system is full",
  ENOTDIR: "a part of its path is no directory",
  EPERM: "operation not permitted",
  EROFS: "the file system is mounted read-only",
  EXDEV: "the two lie on different file systems",
};

/** Something of another kind has the name: no right and no user helps. */
const OTHER_KIND: ReadonlySet<string | undefined> = new Set(["EISDIR", "ELOOP", "ENOTDIR"]);
export const OTHER_KIND_HINT =
  "Something else has the place of a file or a directory there: look at it, then move it away or put back what belongs there.";

const NO_ROOM: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT"]);

/** Why a place is not used although the system would let us. It becomes an error of the path by the two functions below. */
export class PlaceError extends Error {
  readonly hint: string | undefined;

  constructor(fact: string, hint: string | undefined) {
    super(fact);
    this.hint = hint;
  }
}

/** What the operator can do, where the caller knows it better than this package. */
export interface WriteHints {
  /** About the place. Room is missing on the disk, wherever the caller would have it written: that is `hintWhenFull`. */
  readonly hint?: string | undefined;
  readonly hintWhenFull?: string | undefined;
}

/**
 * The error of something that cannot be written: `DISK_FULL` when no room is left, else `FILE_UNWRITABLE`. A `SoarError` stays
 * what it is.
 */
export function unwritable(path: string, cause: unknown, { hint, hintWhenFull }: WriteHints = {}): SoarError {
  if (isSoarError(cause)) return cause;
  const isFull = NO_ROOM.has(systemErrorCode(cause));
  return new SoarError(isFull ? "DISK_FULL" : "FILE_UNWRITABLE", `unable to write '${path}': ${factOf(cause)}`, {
    cause,
    hint: isFull
      ? (hintWhenFull ?? "Free space there, then run the command again.")
      : (hintOf(cause) ??
        hint ??
        "Check owner and permissions of the directory, or run as the user that owns it or as root."),
  });
}

/** The error of something that is there and cannot be read: `FILE_UNREADABLE`. */
export function unreadable(path: string, cause: unknown, hint?: string): SoarError {
  if (isSoarError(cause)) return cause;
  return new SoarError("FILE_UNREADABLE", `unable to read '${path}': ${factOf(cause)}`, {
    cause,
    hint: hintOf(cause) ?? hint ?? kindHintOf(cause) ?? "Run as a user that may read it: its owner, or root.",
  });
}

/** Error number of the failed system call behind an error, such as EXDEV; undefined when there is none. */
export function systemErrorCode(error: unknown): string | undefined {
  for (let one = error; one instanceof Error; one = one instanceof AggregateError ? one.errors[0] : one.cause)
    if ("syscall" in one && "code" in one && typeof one.code === "string") return one.code;
  return undefined;
}

/** Whether an error says that what was named is not there: no such file, or a file in the place of a directory. */
export function meansAbsent(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

function hintOf(cause: unknown): string | undefined {
  return cause instanceof PlaceError ? cause.hint : undefined;
}

/** Where no caller knows it better. */
function kindHintOf(cause: unknown): string | undefined {
  return OTHER_KIND.has(systemErrorCode(cause)) ? OTHER_KIND_HINT : undefined;
}

function factOf(cause: unknown): string {
  const code = systemErrorCode(cause);
  if (code === undefined) return messageOf(cause);
  const fact = FACTS[code];
  return fact === undefined ? code : `${fact} (${code})`;
}
