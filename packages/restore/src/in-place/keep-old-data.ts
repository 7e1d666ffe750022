import { existsSync } from "node:fs";
import { lstat, readlink, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { isRoot, lstatIfPresent, makeDirectory, moveEntry, replaceLink, syncDirectory } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { realDataDirectory } from "../data-directory.ts";
import { tablespaceLinks } from "../fetch/delta/own-tablespaces.ts";
import {
  keptPrefix,
  listKept,
  readOwnKeptRecord,
  writeKeptRecord,
  type KeptRecord,
  type MovedDirectory,
} from "../status/kept-record.ts";
import { mountPointsIn } from "./mount-points.ts";

/** It is the only copy: after a crash all of it is found, under the old names or the new ones. */
const DURABLE = { sync: "directory" } as const;

export interface KeepOptions {
  readonly systemIdentifier: string | undefined;
  /** Directories of tablespaces that the restored cluster is going to use, too. */
  readonly tablespacePlaces: ReadonlySet<string>;
  readonly now: Date;
  /** What the restore is asked for, in words. */
  readonly target?: string | undefined;
  /** Called when nothing is in the way any more, before the first directory gets another name. */
  readonly beforeMove?: (() => void) | undefined;
}

/**
 * Puts the data directory of a stopped server aside by renaming it, with the directories outside of it whose places are
 * needed again: pg_wal and tablespaces, to which its links then lead. It stays a whole cluster (safety, promise 6). When it was
 * interrupted, it goes on with the names that it had chosen.
 */
export async function keepOldData(dataDir: string, options: KeepOptions): Promise<KeptRecord> {
  const record = (await readOwnKeptRecord(dataDir, dataDir)) ?? (await chooseNames(dataDir, options));
  for (const { link, from, to } of record.moved) if (!existsSync(to)) await requireSameOwner(dataDir, { link, from });
  await writeKeptRecord(dataDir, record);
  options.beforeMove?.();
  for (const { link, from, to } of record.moved) {
    // Also when an earlier run was interrupted between the two.
    if (existsSync(to)) await syncDirectory(dirname(to));
    else {
      await requireSameOwner(dataDir, { link, from });
      await moveEntry(from, to, DURABLE);
    }
    await relink(dataDir, link, to);
  }
  await moveEntry(dataDir, record.keptAs, DURABLE);
  return record;
}

/**
 * Rejects with `DIRECTORY_NOT_EMPTY` when something of it cannot be put aside whole, because a file system is mounted there or
 * below, and with `DIRECTORY_FOREIGN` when it leads to what belongs to somebody else.
 */
export async function requireKeepable(dataDir: string, options: Pick<KeepOptions, "tablespacePlaces">): Promise<void> {
  const outside = await outsideDirectories(dataDir, options);
  for (const directory of outside) await requireSameOwner(dataDir, directory);
  for (const path of [dataDir, ...outside.map(({ from }) => from)]) {
    const [mounted] = await mountPointsIn(path);
    if (mounted === undefined) continue;
    throw new SoarError(
      "DIRECTORY_NOT_EMPTY",
      `unable to keep '${path}' by renaming it: a file system is mounted ${mounted === path ? "there" : `at '${mounted}'`}`,
      {
        hint: "Restore to another directory with --data-dir, or overwrite what is there with --discard-old-data. Nothing was changed.",
      },
    );
  }
}

/**
 * Makes a new data directory where an old one was kept: with its mode and owner, and with a pg_wal that leads to the same place
 * as before. Does what is left of it when it was interrupted.
 */
export async function takeOldPlace(dataDir: string): Promise<void> {
  const kept = (await listKept(dataDir)).at(-1);
  if (kept === undefined) return;
  await makeLike(dataDir, kept.keptAs);
  // Links of tablespaces and WAL may lead to links, which lead to these.
  for (const { from, to } of kept.moved) await makeLike(from, to);
  const wal = kept.moved.find(({ link }) => link === "pg_wal");
  if (wal === undefined) return;
  if ((await kindOf(join(dataDir, "pg_wal"))) === undefined)
    await replaceLink(join(dataDir, "pg_wal"), wal.from, { ...DURABLE, within: { base: dataDir } });
}

/** A server writes to directories of its own user only; a link of its data directory may lead root anywhere. */
async function requireSameOwner(dataDir: string, { link, from }: Omit<MovedDirectory, "to">): Promise<void> {
  if (!isRoot()) return;
  const [own, outside] = [await stat(dataDir), await lstat(from)];
  if (outside.isDirectory() && outside.uid === own.uid) return;
  const fact = outside.isDirectory()
    ? `it belongs to user ${outside.uid}, the data directory to user ${own.uid}`
    : "it is no directory";
  throw new SoarError(
    "DIRECTORY_FOREIGN",
    `unable to keep '${from}', to which '${join(dataDir, link)}' leads: ${fact}`,
    {
      hint: "Look at that link: no server has made it. Without it, or with --data-dir, the restore goes on. Nothing was changed.",
    },
  );
}

async function makeLike(path: string, model: string): Promise<void> {
  if (existsSync(path)) return;
  const { mode, uid, gid } = await stat(model);
  await makeDirectory(path, {
    ...DURABLE,
    // PostgreSQL knows these two only (postmaster.c, checkDataDir).
    mode: (mode & 0o777) === 0o750 ? 0o750 : 0o700,
    owner: isRoot() ? { uid, gid } : undefined,
  });
}

async function chooseNames(dataDir: string, options: KeepOptions): Promise<KeptRecord> {
  const stamp = options.now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  // A second restore within the same second is one by a script.
  for (let attempt = 1; ; attempt += 1) {
    const suffix = attempt === 1 ? stamp : `${stamp}-${attempt}`;
    const keptAs = keptPrefix(dataDir) + suffix;
    const outside = await outsideDirectories(dataDir, options);
    const moved: MovedDirectory[] = [];
    for (const { link, from } of outside)
      moved.push({ link, from, to: keptPrefix(from) + suffix, inode: await inodeOf(from) });
    if ([keptAs, ...moved.map(({ to }) => to)].some((path) => existsSync(path))) continue;
    return {
      format: 1,
      dataDir,
      keptAs,
      keptAt: options.now.toISOString(),
      target: options.target,
      systemIdentifier: options.systemIdentifier,
      inode: await inodeOf(dataDir),
      moved,
    };
  }
}

async function inodeOf(path: string): Promise<string> {
  return String((await lstat(path, { bigint: true })).ino);
}

/** What a data directory leads to and is put aside with it: its WAL, and tablespaces whose places are filled again. */
export async function outsideDirectories(
  dataDir: string,
  { tablespacePlaces }: Pick<KeepOptions, "tablespacePlaces">,
): Promise<Omit<MovedDirectory, "to">[]> {
  const found: Omit<MovedDirectory, "to">[] = [];
  const wal = (await kindOf(join(dataDir, "pg_wal"))) === "link" ? await target(dataDir, "pg_wal") : undefined;
  // The disk that it leads to may be what was lost.
  if (wal !== undefined && existsSync(wal)) found.push({ link: "pg_wal", from: await realDataDirectory(wal) });
  for (const [name, place] of await tablespaceLinks(dataDir)) {
    const link = join("pg_tblspc", name);
    const named = resolve(dirname(join(dataDir, link)), place);
    if (tablespacePlaces.has(named) && existsSync(named)) found.push({ link, from: await realDataDirectory(named) });
  }
  return found;
}

async function target(dataDir: string, link: string): Promise<string> {
  return resolve(dirname(join(dataDir, link)), await readlink(join(dataDir, link)));
}

async function relink(dataDir: string, link: string, to: string): Promise<void> {
  if ((await readlink(join(dataDir, link))) === to) return;
  await replaceLink(join(dataDir, link), to, { ...DURABLE, within: { base: dataDir } });
}

/** Of the name itself, wherever a link leads to. */
async function kindOf(path: string): Promise<"link" | "other" | undefined> {
  const found = await lstatIfPresent(path);
  return found === undefined ? undefined : found.isSymbolicLink() ? "link" : "other";
}
