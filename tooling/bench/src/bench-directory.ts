import { chmodSync, mkdtempSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MEMORY = "/dev/shm";

/**
 * A fresh directory, for the objects of the S3 test server or for what is restored: in memory where that has room for
 * `megabytes`, because otherwise the disk of the machine is measured, too. Removed by the caller.
 */
export function memoryDirectory(megabytes: number): string {
  const directory = mkdtempSync(join(hasRoom(megabytes) ? MEMORY : tmpdir(), "soar-bench-"));
  chmodSync(directory, 0o755);
  return directory;
}

function hasRoom(megabytes: number): boolean {
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize > megabytes * 1e6;
}
