import { isAbsolute, join, relative } from "node:path";
import { parseRelationPath } from "@soar/pg-tools/page-checksum";
import { filesOf, type FoundFile } from "../status/left-files.ts";

/** Where a cluster lies. */
export interface ClusterPlaces {
  readonly dataDir: string;
  /** Directories of tablespaces by their OID. */
  readonly tablespaces: ReadonlyMap<number, string>;
}

/** A file that a server neither makes nor removes without WAL that says so. */
export interface WatchedFile extends FoundFile {
  /** Below the data directory, those of tablespaces through their links. */
  readonly name: string;
}

/** Transaction states, which are pages without checksums. */
const TRANSACTIONS = /^pg_(?:xact|multixact\/(?:offsets|members))\/[0-9A-F]+$/;
/** The like, but for this: a server that is started without track_commit_timestamp removes them all, and no WAL says so (DeactivateCommitTs). */
const COMMIT_TIMES = /^pg_commit_ts\/[0-9A-F]+$/;
const OF_DATABASES = /^(?:global|base\/\d+|pg_tblspc\/\d+\/PG_\d+_\d+\/\d+)\/(?:PG_VERSION|pg_filenode\.map)$/;

/** Whether the files of these names are pages of which none that was in use becomes zeros again; free space maps may be lost at any time. */
export function keepsItsPages(name: string): boolean {
  const relation = parseRelationPath(name);
  return relation === undefined ? TRANSACTIONS.test(name) : relation.fork === "main" || relation.fork === "init";
}

/** Whether a file of this name has the states of transactions, which carry no checksums. */
export function holdsTransactions(name: string): boolean {
  return TRANSACTIONS.test(name);
}

/** Whether a file of this name has times of commits, which may be gone at any time, and are never others. */
export function holdsCommitTimes(name: string): boolean {
  return COMMIT_TIMES.test(name);
}

/** Looks at all of them without reading any. Rejects with `FILE_UNREADABLE` where it may not look. */
export async function watchedFiles({ dataDir, tablespaces }: ClusterPlaces): Promise<Map<string, WatchedFile>> {
  const found = await filesOf({ dataDir, tablespaces: tablespaces.values() });
  const named = found.map((file): WatchedFile => ({ ...file, name: nameOf(file.path, { dataDir, tablespaces }) }));
  return new Map(named.filter(({ name }) => isWatched(name)).map((file) => [file.name, file]));
}

function isWatched(name: string): boolean {
  return (
    name === "PG_VERSION" ||
    parseRelationPath(name) !== undefined ||
    TRANSACTIONS.test(name) ||
    COMMIT_TIMES.test(name) ||
    OF_DATABASES.test(name)
  );
}

function nameOf(path: string, { dataDir, tablespaces }: ClusterPlaces): string {
  for (const [oid, directory] of tablespaces) {
    const below = relative(directory, path);
    if (!below.startsWith("..") && !isAbsolute(below)) return join("pg_tblspc", String(oid), below);
  }
  return relative(dataDir, path);
}
