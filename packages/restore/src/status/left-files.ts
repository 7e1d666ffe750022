import { createHash } from "node:crypto";
import { lstat } from "node:fs/promises";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { lstatIfPresent, meansAbsent, realPathIfPresent, treeIfPresent } from "@soar/durable-files";
import { readTrustedFile } from "@soar/durable-files/reading";
import { holdsData } from "@soar/pg-tools/replication";
import * as v from "valibot";

/**
 * What lay in the directories of a cluster that hold its data when a restore left it with no server running. Nothing is written there until
 * somebody goes on, so every difference is somebody else's doing: the kernel sets the time of change of a file whenever
 * its bytes or attributes change, and no program can set it back.
 */
export interface LeftFiles {
  readonly files: number;
  /** SHA-256 over the name, the inode, the size and the times of each file. */
  readonly digest: string;
  /** The newest time of change, in nanoseconds since 1970. */
  readonly newest: string;
  /** SHA-256 of pg_control: a server that was started meanwhile has written another one. */
  readonly control: string;
}

export const leftFilesSchema: v.GenericSchema<unknown, LeftFiles> = v.object({
  files: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  digest: v.string(),
  // Of a file whose time was set before 1970 it is negative.
  newest: v.pipe(v.string(), v.regex(/^-?\d{1,20}$/)),
  control: v.string(),
});

export interface LeftPlaces {
  readonly dataDir: string;
  /** Directories of tablespaces. */
  readonly tablespaces: Iterable<string>;
}

/** Times of change come from a clock that goes on in steps of up to 10 ms (`CONFIG_HZ`, inode_set_ctime_current). */
const CLOCK_STEP_MS = 10;
const MOST_ATTEMPTS = 50;

/**
 * Looks at every file of a cluster without reading it, when the clock of the file system is past their newest change: whatever
 * changes later has a later time. Rejects with `FILE_UNREADABLE` where it may not look.
 */
export async function surveyFiles(places: LeftPlaces): Promise<LeftFiles> {
  for (let attempt = 1; ; attempt++) {
    const left = await survey(places);
    const age = Date.now() - Number(BigInt(left.newest) / 1_000_000n);
    // A time of the future is that of another clock, which says nothing of this one; who goes on writing there is not waited for.
    if (age > 2 * CLOCK_STEP_MS || age < 0 || attempt === MOST_ATTEMPTS) return left;
    await sleep(2 * CLOCK_STEP_MS);
  }
}

async function survey(places: LeftPlaces): Promise<LeftFiles> {
  const hash = createHash("sha256");
  let [files, newest] = [0, 0n];
  for (const file of await filesOf(places)) {
    hash.update(`${file.path}\0${file.ino}\0${file.size}\0${file.mtimeNs}\0${file.ctimeNs}\n`);
    files += 1;
    if (file.ctimeNs > newest) newest = file.ctimeNs;
  }
  return {
    files,
    digest: hash.digest("hex"),
    newest: String(newest),
    control: await digestOf(join(places.dataDir, "global", "pg_control")),
  };
}

/** What is not as it was left: `changed` by nobody that has a name, or `used` by a server that was started there. */
export type Difference = { readonly kind: "changed"; readonly detail: string } | { readonly kind: "used" };

/** Undefined when everything is as it was left. Rejects like `surveyFiles`. */
export async function findDifference(left: LeftFiles, places: LeftPlaces): Promise<Difference | undefined> {
  const now = await survey(places);
  if (now.control !== left.control) return { kind: "used" };
  if (now.digest === left.digest) return undefined;
  const newer = (await filesOf(places)).find(({ ctimeNs }) => ctimeNs > BigInt(left.newest));
  return {
    kind: "changed",
    detail: newer?.path ?? `there are ${now.files} files where ${left.files} were left`,
  };
}

/** A file as the kernel describes it, unread. */
export interface FoundFile {
  readonly path: string;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** Configuration, certificates and the like are the operator's, who may have put right there what kept the server from starting. */
function isData(path: string): boolean {
  return holdsData(path) || path === "pg_wal" || path.startsWith("pg_wal/");
}

async function namesOf(directory: string): Promise<string[]> {
  const entries = (await treeIfPresent(directory)) ?? [];
  return entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
}

/** Looks at once, because each waits for the disk. */
const AT_ONCE = 64;

/** Every file that holds data of the cluster, sorted by its path. Rejects with `FILE_UNREADABLE` where it may not look. */
export async function filesOf({ dataDir, tablespaces }: LeftPlaces): Promise<FoundFile[]> {
  const wal = join(dataDir, "pg_wal");
  // Links are not followed on the way down.
  const isLink = (await lstatIfPresent(wal))?.isSymbolicLink() ?? false;
  const outside = [...tablespaces, ...(isLink ? [(await realPathIfPresent(wal)) ?? wal] : [])];
  const own = (await namesOf(dataDir)).filter((path) => isData(relative(dataDir, path)));
  const others = await Promise.all(outside.map(namesOf));
  const paths = [...own, ...others.flat()].toSorted();
  const found: FoundFile[] = [];
  for (let at = 0; at < paths.length; at += AT_ONCE)
    for (const file of await Promise.all(paths.slice(at, at + AT_ONCE).map(look)))
      if (file !== undefined) found.push(file);
  return found;
}

async function look(path: string): Promise<FoundFile | undefined> {
  const found = await lstat(path, { bigint: true }).catch((error: unknown) => {
    if (meansAbsent(error)) return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  const { ino, size, mtimeNs, ctimeNs } = found;
  return { path, ino, size, mtimeNs, ctimeNs };
}

async function digestOf(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readTrustedFile(path))
    .digest("hex");
}
