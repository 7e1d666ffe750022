import { systemErrorCode, unwritable as unwritableFile } from "@soar/durable-files";

/** The error of a file, directory or link that cannot be written: `DISK_FULL`, else `FILE_UNWRITABLE`. */
export function unwritable(path: string, cause: unknown): Error {
  const isThere = systemErrorCode(cause) === "EEXIST";
  return unwritableFile(path, cause, {
    hint: isThere
      ? "Extract to an empty directory, or allow existing files to be overwritten."
      : "Check the permissions of the directory, and its file system.",
    hintWhenFull: "Make room, or extract to a larger file system.",
  });
}
