import { accessSync, constants, readFileSync, statfsSync } from "node:fs";

const PLACE = "/dev/shm";
const TMPFS_MAGIC = 0x01021994;
const GIB = 2 ** 30;
/** What two test files at once fill, and as much again. */
const ROOM_BYTES = 6 * GIB;

/**
 * A directory in memory for tests that start servers, whose clusters are some thousand small files each: to make and to
 * remove them on a disk takes a fifth of all the processor's time, and waits for other files' syncs. Undefined where there is
 * none, or it has no room, or lets no program start, and where somebody has said where temporary files go.
 */
export function memoryDirectory(): string | undefined {
  if (process.env["TMPDIR"] !== undefined || process.platform !== "linux") return undefined;
  try {
    accessSync(PLACE, constants.W_OK);
    const { type, bavail, bsize } = statfsSync(PLACE);
    const hasRoom = bavail * bsize >= ROOM_BYTES && process.availableMemory() >= ROOM_BYTES + 2 * GIB;
    return type === TMPFS_MAGIC && hasRoom && !isNoexec() ? PLACE : undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "EACCES"))
      return undefined;
    throw error;
  }
}

function isNoexec(): boolean {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return mounts.some((line) => line.split(" ")[1] === PLACE && line.split(" ")[3]?.split(",").includes("noexec"));
}
