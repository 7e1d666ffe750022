import { chmod, chown, open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { SoarError } from "@soar/errors";

/** Writes a file and waits until it is on disk. Rejects with `DISK_FULL` or `FILE_UNWRITABLE`. */
export async function writeDurably(path: string, pieces: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void> {
  const file = await open(path, "w", 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw unwritable(path, cause);
  });
  try {
    // Outside of the conversion below: a failure of the source is not one of the file.
    for await (const piece of pieces)
      await file.writeFile(piece).catch((cause: NodeJS.ErrnoException) => Promise.reject(unwritable(path, cause)));
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Replaces a file as a whole: after a crash the old or the new one is there. It keeps the mode and the owner of the old one. */
export async function replaceDurably(path: string, content: string): Promise<void> {
  const temporary = `${path}.soar-new`;
  await writeDurably(temporary, [Buffer.from(content)]);
  const old = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (old !== undefined) {
    await chmod(temporary, old.mode & 0o777);
    if (process.getuid?.() === 0) await chown(temporary, old.uid, old.gid);
  }
  await rename(temporary, path);
  await using directory = await open(dirname(path), "r");
  await directory.sync();
}

function unwritable(path: string, cause: NodeJS.ErrnoException): SoarError {
  const isFull = cause.code === "ENOSPC" || cause.code === "EDQUOT";
  return new SoarError(
    isFull ? "DISK_FULL" : "FILE_UNWRITABLE",
    `unable to write '${path}': ${isFull ? "the file system is full" : cause.message}`,
    {
      cause,
      hint: isFull ? "Free space there, then run the command again." : "Check owner and permissions of the directory.",
    },
  );
}
