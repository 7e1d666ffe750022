import type { Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { meansAbsent, unreadable } from "@soar/durable-files";
import { openDirectoryBelow, type ReadableTree } from "@soar/durable-files/reading";
import { requireMajor } from "../majors/find-major.ts";
import { isEmptied, isLeftOut, isLeftOutOfDatabase } from "./exclusions.ts";

/** One file or directory of a base backup. */
export interface ContentEntry {
  /** Relative to the directory that was listed. Bytes, because names of files are. */
  readonly path: Buffer;
  readonly type: "file" | "directory";
  /** Bytes of content when it was listed; 0 for all but files. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
  readonly uid: number;
  readonly gid: number;
}

export interface ListContentsOptions {
  readonly major: number;
  /** Told of what is neither file nor directory, relative to the directory: the server passes over it, too. */
  readonly onSpecial?: ((path: Buffer) => void) | undefined;
}

/** Where pg_control lies, which a backup reads last. */
const CONTROL_FILE = "global/pg_control";
const WAL_DIRECTORY = "pg_wal";
/** Its links are made again from `tablespace_map`, maybe to other places. */
const TABLESPACE_LINKS = "pg_tblspc";
const DIGITS = /^\d+$/;
/** Files that are looked at side by side. */
const LOOKS_AT_ONCE = 64;

/**
 * Everything that a base backup of this data directory holds, as the server itself would send it (`sendDir` in basebackup.c),
 * in the order of names: without `backup_label` and `tablespace_map`, which `pg_backup_stop` gives, without what the latter
 * stands for, and without pg_control, which is to be read last. What vanishes meanwhile is left out. `inside` are tablespaces that lie in the data directory,
 * relative to it: they have archives of their own. Rejects with `FILE_UNREADABLE`.
 */
export async function* listDataDirectory(
  dataDirectory: ReadableTree,
  { inside = [], ...options }: ListContentsOptions & { readonly inside?: readonly string[] },
): AsyncGenerator<ContentEntry, void, undefined> {
  yield* new Lister(dataDirectory, { ...options, apart: new Set(inside.map(toBinary)) }).list("");
}

/** The same for a tablespace: the directory of this version in it, with its contents. Nothing when it is not there. */
export async function* listTablespace(
  location: ReadableTree,
  options: ListContentsOptions,
): AsyncGenerator<ContentEntry, void, undefined> {
  const { major, controlFile } = requireMajor(options.major);
  const versionDirectory = `PG_${major}_${controlFile.catalogVersion}`;
  const lister = new Lister(location, { ...options, apart: new Set() });
  const found = await lister.look(versionDirectory);
  if (found === undefined) return;
  yield entryOf(versionDirectory, "directory", found);
  yield* lister.list(versionDirectory);
}

interface ListerOptions extends ListContentsOptions {
  readonly apart: ReadonlySet<string>;
}

/** Paths are latin1 text, one character a byte, until they leave. */
class Lister {
  readonly #tree: ReadableTree;
  readonly #options: ListerOptions;

  constructor(tree: ReadableTree, options: ListerOptions) {
    this.#tree = tree;
    this.#options = options;
  }

  async *list(directory: string): AsyncGenerator<ContentEntry, void, undefined> {
    const names = (await this.#names(directory)).toSorted();
    const isLeftOutHere = isDatabase(directory) ? leftOutOfDatabase(names) : () => false;
    const kept = names
      .filter((name) => !isLeftOut(name) && !isLeftOutHere(name))
      .map((name) => (directory === "" ? name : `${directory}/${name}`))
      .filter((path) => path !== CONTROL_FILE);
    for (let at = 0; at < kept.length; at += LOOKS_AT_ONCE) {
      const paths = kept.slice(at, at + LOOKS_AT_ONCE);
      const looks = await Promise.all(paths.map(async (path) => ({ path, stats: await this.look(path) })));
      for (const { path, stats } of looks) if (stats !== undefined) yield* this.#entries(path, stats);
    }
  }

  async look(path: string): Promise<Stats | undefined> {
    return await this.#unlessGone(path, async () => {
      using directory = openDirectoryBelow(this.#tree, fromBinary(parentOf(path)));
      return await lstat(Buffer.concat([directory.prefix, fromBinary(nameOf(path))]));
    });
  }

  async *#entries(path: string, stats: Stats): AsyncGenerator<ContentEntry, void, undefined> {
    if (isEmptied(nameOf(path))) yield await this.#directory(path, stats);
    else if (path === WAL_DIRECTORY) yield* this.#walDirectories(stats);
    else if (stats.isDirectory()) {
      yield entryOf(path, "directory", stats);
      if (path !== TABLESPACE_LINKS && !this.#options.apart.has(path)) yield* this.list(path);
    } else if (stats.isFile()) yield entryOf(path, "file", stats);
    else this.#options.onSpecial?.(fromBinary(path));
  }

  /** WAL comes from the archive; its directories are there for their permissions. */
  async *#walDirectories(stats: Stats): AsyncGenerator<ContentEntry, void, undefined> {
    const { features } = requireMajor(this.#options.major);
    const directory = await this.#directory(WAL_DIRECTORY, stats);
    const below = features.walSummaries ? ["archive_status", "summaries"] : ["archive_status"];
    yield directory;
    for (const name of below) yield { ...directory, path: fromBinary(`${WAL_DIRECTORY}/${name}`) };
  }

  /** As a directory even where a link leads to one on another disk; then with the mode of the data directory. */
  async #directory(path: string, stats: Stats): Promise<ContentEntry> {
    if (stats.isDirectory()) return entryOf(path, "directory", stats);
    const root = await this.look("");
    /* v8 ignore next -- the data directory would have to vanish right behind what was seen in it */
    const mode = root?.mode ?? stats.mode;
    return { ...entryOf(path, "directory", stats), mode: mode & 0o750 };
  }

  async #names(directory: string): Promise<string[]> {
    const names = await this.#unlessGone(directory, async () => {
      using opened = openDirectoryBelow(this.#tree, fromBinary(directory));
      return await readdir(opened.prefix, { encoding: "latin1" });
    });
    return names ?? [];
  }

  async #unlessGone<T>(path: string, look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      if (meansAbsent(error)) return undefined;
      throw unreadable(join(this.#tree.path, fromBinary(path).toString("utf8")), error);
    }
  }
}

/** `base/OID`, or `OID` in the directory of a version, in a tablespace or through `pg_tblspc`. */
function isDatabase(directory: string): boolean {
  const parent = parentOf(directory);
  return DIGITS.test(nameOf(directory)) && (parent === "base" || /(?:^|\/)PG_\d+_\d+$/.test(parent));
}

function leftOutOfDatabase(names: readonly string[]): (name: string) => boolean {
  const present = new Set(names);
  return (name) => isLeftOutOfDatabase(name, (fileNumber) => present.has(`${fileNumber}_init`));
}

function entryOf(path: string, type: ContentEntry["type"], stats: Stats): ContentEntry {
  return {
    path: fromBinary(path),
    type,
    size: type === "file" ? stats.size : 0,
    mode: stats.mode & 0o7777,
    mtime: Math.floor(stats.mtimeMs / 1000),
    uid: stats.uid,
    gid: stats.gid,
  };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function toBinary(path: string): string {
  return Buffer.from(path, "utf8").toString("latin1");
}

function fromBinary(path: string): Buffer {
  return Buffer.from(path, "latin1");
}
