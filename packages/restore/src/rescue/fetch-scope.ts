import { join } from "node:path";
import { makeDirectory, replaceFile } from "@soar/durable-files";
import { readTrustedFile } from "@soar/durable-files/reading";
import { SoarError } from "@soar/errors";
import { formatTablespaceMap, parseTablespaceMap } from "@soar/pg-tools/labels";
import { BACKUP_OBJECTS, readBackupObject, type BackupRecord } from "@soar/repository";
import type { CodecPool, ExtractOptions, FileOwner, ArchiveOutline, TableOutline } from "@soar/seekable-tar";
import { readObject, type ObjectStore } from "@soar/storage";
import { extractStored } from "../fetch/extract-stored.ts";
import { CONTROL_FILE, requireEntries, requireLegalEntries } from "../fetch/require-entries.ts";
import { createPlaceholders } from "./placeholders.ts";
import { SCRATCH_FILE } from "./scratch-directory.ts";
import { fateOf, initialScope, relationOfFile, type RescueChoice, type RescueScope } from "./rescue-scope.ts";

export interface FetchScopeOptions {
  readonly backup: BackupRecord;
  readonly table: TableOutline;
  readonly choice: RescueChoice;
  /** Told what was chosen, before it is fetched. */
  onChosen(scope: RescueScope): Promise<void>;
  readonly dataDir: string;
  /** Gets one directory per tablespace, named by its OID. */
  readonly tablespaceDir: string;
  readonly owner: FileOwner | undefined;
  readonly pool: CodecPool;
  /** Ranges fetched at once. */
  readonly jobs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (storedBytes: number) => void;
}

export interface FetchedScope {
  /** Relations whose files hold nothing, by the path of their first file. */
  readonly placeholders: ReadonlySet<string>;
  /** Bytes read from the store, with what lay between. */
  readonly fetchedBytes: number;
  readonly doubt?: never;
}

/** What is wanted lies scattered in little pieces: another request is cheaper than much that is not wanted. */
const GAP_BYTES = 16 * 1024;

/**
 * Fetches the part of a backup that a rescue needs into a scratch data directory; every other relation gets a placeholder.
 * Nothing is synced, because nothing of it outlives the rescue. Resolves to what speaks against the choice, if anything does. Rejects
 * with `REPOSITORY_DAMAGED` like a whole restore.
 */
export async function fetchScope(
  store: ObjectStore,
  options: FetchScopeOptions,
): Promise<FetchedScope | { readonly doubt: string }> {
  const { backup, dataDir, owner, signal } = options;
  const base = requireBase(options.table, backup);
  requireEntries(base, backup);
  requireLegalEntries(options.table, backup);
  let fetchedBytes = 0;
  const common: Omit<ExtractOptions, "targetDir"> = {
    fetch: async (key, offset, length, stop) => {
      const bytes = await readObject(store, key, { range: { offset, length }, signal: stop });
      options.onProgress?.((fetchedBytes += bytes.length));
      return bytes;
    },
    pool: options.pool,
    parallel: options.jobs,
    gapBytes: GAP_BYTES,
    owner,
    sync: false,
    signal,
  };
  const extract = async (select: (entry: ArchiveOutline["entries"][number]) => boolean): Promise<void> => {
    for (const archive of options.table.archives) {
      const targetDir = directoryOf(archive, options);
      await makeDirectory(targetDir, { ...SCRATCH_FILE, mode: 0o700, owner });
      await extractStored(archive, { ...common, targetDir, select });
    }
  };
  const isIn = (scope: RescueScope, { path, type }: { path: string; type: string }): boolean =>
    path !== CONTROL_FILE && fateOf(path, type, scope) === "fetch";
  let scope = initialScope(options.choice);
  await extract((entry) => isIn(scope, entry));
  if (options.choice.kind === "relations-to-choose") {
    for (let complete = false; !complete;) {
      const before = scope;
      const chosen = await options.choice.choose(databaseDirectories(options.choice.oid, options));
      if (chosen.doubt !== undefined) return chosen;
      scope = {
        ...options.choice,
        kind: "relations",
        fileNumbers: new Set([...chosen.fileNumbers, ...(before.kind === "relations" ? before.fileNumbers : [])]),
      };
      complete = chosen.complete || isSameScope(before, scope);
      if (complete) await options.onChosen(scope);
      const after = scope;
      await extract((entry) => entry.type === "file" && isIn(after, entry) && !isIn(before, entry));
    }
  }
  const placeholders = await fillWithPlaceholders(scope, options);
  if (backup.tablespaces.length > 0) await moveTablespaces(options);
  await requireBackupLabel(store, options);
  // Last, as in every restore: whatever was interrupted before cannot be started.
  await extractStored(base, { ...common, targetDir: dataDir, select: ({ path }) => path === CONTROL_FILE });
  return { placeholders, fetchedBytes };
}

async function fillWithPlaceholders(scope: RescueScope, options: FetchScopeOptions): Promise<Set<string>> {
  const placeholders = new Set<string>();
  for (const archive of options.table.archives) {
    const empty = archive.entries.filter(({ path, type }) => fateOf(path, type, scope) === "placeholder");
    await createPlaceholders(empty, {
      targetDir: directoryOf(archive, options),
      owner: options.owner,
      signal: options.signal,
    });
    for (const { path } of empty)
      placeholders.add(relationOfFile(archive.name === "base" ? path : `pg_tblspc/${archive.name}/${path}`));
  }
  return placeholders;
}

function directoryOf({ name }: ArchiveOutline, { dataDir, tablespaceDir }: FetchScopeOptions): string {
  return name === "base" ? dataDir : join(tablespaceDir, name);
}

/** Where files of a database lie: its own directory, and one in each tablespace that it uses. */
function databaseDirectories(oid: number, options: FetchScopeOptions): string[] {
  const isOfDatabase = (path: string): boolean =>
    path === `base/${oid}` || new RegExp(`^PG_\\d+_\\d+/${oid}$`).test(path);
  return options.table.archives.flatMap((archive) =>
    archive.entries
      .filter(({ path }) => isOfDatabase(path))
      .map(({ path }) => join(directoryOf(archive, options), path)),
  );
}

function isSameScope(a: RescueScope, b: RescueScope): boolean {
  return a.kind === "relations" && b.kind === "relations" && a.fileNumbers.size === b.fileNumbers.size;
}

/** Plain bytes of what a scope fetches. */
export function plainBytesOf(table: TableOutline, scope: RescueScope): number {
  return table.archives
    .flatMap(({ entries }) => entries)
    .reduce((sum, { path, type, size }) => (fateOf(path, type, scope) === "fetch" ? sum + size : sum), 0);
}

function requireBase(table: TableOutline, { label }: BackupRecord): ArchiveOutline {
  const base = table.archives.find(({ name }) => name === "base");
  if (base !== undefined) return base;
  throw new SoarError(
    "REPOSITORY_DAMAGED",
    `the seek table of backup '${label}' has no archive of the data directory`,
    { hint: "Use another backup: --base-backup." },
  );
}

/** Recovery makes the links in pg_tblspc from this file: to the source's own directories unless it is changed (safety, trap 27). */
async function moveTablespaces({ dataDir, tablespaceDir }: FetchScopeOptions): Promise<void> {
  const path = join(dataDir, BACKUP_OBJECTS.tablespaceMap);
  const entries = parseTablespaceMap(await readTrustedFile(path));
  const moved = entries.map((entry) => ({ ...entry, location: join(tablespaceDir, String(entry.oid)) }));
  await replaceFile(path, formatTablespaceMap(moved), SCRATCH_FILE);
}

/** Without the right `backup_label` recovery would begin at the wrong place and corrupt silently. */
async function requireBackupLabel(store: ObjectStore, { backup, dataDir, signal }: FetchScopeOptions): Promise<void> {
  const recorded = await readBackupObject(store, backup, BACKUP_OBJECTS.backupLabel, { signal });
  if ((await readTrustedFile(join(dataDir, BACKUP_OBJECTS.backupLabel))).equals(recorded)) return;
  throw new SoarError(
    "REPOSITORY_DAMAGED",
    `backup '${backup.label}' holds another backup_label than the one stored beside it`,
    { hint: "Use another backup: --base-backup." },
  );
}
