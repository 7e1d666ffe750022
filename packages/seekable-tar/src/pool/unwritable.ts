import { isSoarError, messageOf, SoarError } from "@soar/errors";

/** The error of a file, directory or link that cannot be written: `DISK_FULL`, else `FILE_UNWRITABLE`. */
export function unwritable(path: string, cause: unknown): Error {
  if (isSoarError(cause)) return cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const fact = messageOf(cause);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new SoarError("DISK_FULL", `unable to write '${path}': ${fact}`, {
      hint: "Make room, or extract to a larger file system.",
      cause,
    });
  }
  const hint =
    code === "EEXIST"
      ? "Extract to an empty directory, or allow existing files to be overwritten."
      : "Check the permissions of the directory, and its file system.";
  return new SoarError("FILE_UNWRITABLE", `unable to write '${path}': ${fact}`, { hint, cause });
}
