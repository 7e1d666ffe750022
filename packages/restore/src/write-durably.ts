import { open } from "node:fs/promises";
import { SoarError } from "@soar/errors";

/** Writes a file and waits until it is on disk. Rejects with `DISK_FULL` or `FILE_UNWRITABLE`. */
export async function writeDurably(path: string, pieces: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void> {
  const file = await open(path, "w", 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw unwritable(path, cause);
  });
  try {
    // Outside of the conversion below: a failure of the source is not one of the file.
    for await (const piece of pieces) await file.writeFile(piece).catch((cause: NodeJS.ErrnoException) => Promise.reject(unwritable(path, cause)));
    await file.datasync();
  } finally {
    await file.close();
  }
}

function unwritable(path: string, cause: NodeJS.ErrnoException): SoarError {
  const isFull = cause.code === "ENOSPC" || cause.code === "EDQUOT";
  return new SoarError(isFull ? "DISK_FULL" : "FILE_UNWRITABLE", `unable to write '${path}': ${isFull ? "the file system is full" : cause.message}`, {
    cause,
    hint: isFull ? "Free space there, then run the command again." : "Check owner and permissions of the directory.",
  });
}
