import { realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { readTextIfPresent } from "@soar/durable-files";

/**
 * Where file systems are mounted at this directory or below it. Such a directory cannot be renamed, or takes along what the
 * next start of the machine mounts in the old place again.
 */
export async function mountPointsIn(directory: string): Promise<string[]> {
  const path = await realpath(directory);
  const mounted = (await mountPoints()).filter(
    (one) => one === path || one.startsWith(path.endsWith("/") ? path : `${path}/`),
  );
  if (mounted.length > 0) return mounted;
  // A link to another file system, or a system without the kernel's list.
  return (await stat(path)).dev === (await stat(dirname(directory))).dev ? [] : [directory];
}

/** From the kernel: two directories of one file system have one device number although one may be mounted upon the other. */
async function mountPoints(): Promise<string[]> {
  const text = (await readTextIfPresent("/proc/self/mountinfo")) ?? "";
  return text
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? [])
    .map(unescapeOctal);
}

/** Spaces and the like are written as three octal digits (proc(5)). */
function unescapeOctal(path: string): string {
  return path.replaceAll(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
