import { basename, dirname, join } from "node:path";
import { makeDirectory, moveEntry, type Owner, readIfPresent, replaceFile } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { formatTablespaceMap, parseTablespaceMap } from "@soar/pg-tools/labels";
import { BACKUP_OBJECTS, readBackupObject, readBackupOutline, tableOf, type BackupRecord } from "@soar/repository";
import type { CodecPool, ExtractOptions, ExtractSummary, ArchiveOutline, TableOutline } from "@soar/seekable-tar";
import { readObject, type ObjectStore } from "@soar/storage";
import { inDataDirectory, RESTORE_STATE_DIRECTORY } from "../data-directory.ts";
import { FetchCount, type FetchedWork, type FetchProgress } from "../work-done.ts";
import { clearForRefill } from "./delta/refill.ts";
import { extractStored } from "./extract-stored.ts";
import { CONTROL_FILE, requireEntries, requireLegalEntries } from "./require-entries.ts";

export interface FetchOptions {
  readonly backup: BackupRecord;
  readonly dataDir: string;
  /** Where each tablespace goes, by its OID. */
  readonly tablespaces: ReadonlyMap<number, string>;
  /** Who owns the files; whoever runs the process by default. */
  readonly owner?: Owner | undefined;
  readonly pool: CodecPool;
  /** Ranges fetched at once. */
  readonly jobs: number;
  /** Whether the directories hold a part of the backup, or another state of the cluster: what is right there is kept, all else is removed. */
  readonly refill?: boolean | undefined;
  /** Whether links stay in such a directory that lead out of it and that no backup has. */
  readonly keepsLinks?: boolean | undefined;
  /** Runs when everything but pg_control is in place: what has to be there before a server can be started. */
  readonly beforeControlFile?: (() => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: FetchProgress) => void;
}

/**
 * Fetches a backup straight into place, every member checked against its digest. `global/pg_control` is put in place
 * last, after everything else is on disk: an aborted run leaves a directory that cannot be started. Resolves to what was done.
 * Rejects with `REPOSITORY_DAMAGED` for any object that is not what was recorded.
 */
export async function fetchBackup(store: ObjectStore, options: FetchOptions): Promise<FetchedWork> {
  const { backup, dataDir, tablespaces, owner, keepsLinks = false, signal } = options;
  const count = new FetchCount();
  const table = await readBackupOutline(store, tableOf(backup), {
    signal,
    onFrame: (frame) => count.received(frame),
  });
  const base = requireArchive(table, "base", backup);
  requireEntries(base, backup);
  requireLegalEntries(table, backup);
  const walIsLink =
    options.refill === true && (await clearForRefill(table, { dataDir, tablespaces, owner, keepsLinks })).walIsLink;
  const common = (targetDir: string): ExtractOptions => ({
    targetDir,
    async fetch(key, offset, length, stop) {
      const bytes = await readObject(store, key, { range: { offset, length }, signal: stop });
      count.received(bytes);
      return bytes;
    },
    pool: options.pool,
    parallel: options.jobs,
    owner,
    // Recovery makes these links anew, from the map; until then they lead to the places of this restore, too.
    mapLink: ({ path, link }) => tablespaces.get(Number(basename(path))) ?? link,
    sync: true,
    existing: options.refill === true ? "keep-unchanged" : "refuse",
    signal,
    onProgress: (now) => options.onProgress?.(count.extracting(now)),
  });
  const select: ExtractOptions["select"] = ({ path }) =>
    path !== CONTROL_FILE && !isBelow(path, RESTORE_STATE_DIRECTORY) && !(walIsLink && isBelow(path, "pg_wal"));
  count.extracted(await extractStored(base, { ...common(dataDir), select }));
  for (const { oid } of backup.tablespaces) {
    const location = tablespaces.get(oid);
    if (location === undefined)
      throw new SoarError("TARGET_UNREACHABLE", `unable to restore tablespace ${oid}: no directory was given for it`);
    count.extracted(await extractStored(requireArchive(table, String(oid), backup), common(location)));
  }
  if (backup.tablespaces.length > 0) await rewriteTablespaceMap(options);
  await requireBackupLabel(store, options);
  await options.beforeControlFile?.();
  count.extracted(await placeControlFile(base, dataDir, common(dataDir)));
  return count.work;
}

/** Whole or not at all: half of it would be taken for a damaged cluster. */
async function placeControlFile(
  base: ArchiveOutline,
  dataDir: string,
  options: ExtractOptions,
): Promise<ExtractSummary> {
  const waiting = `${RESTORE_STATE_DIRECTORY}/pg_control.new`;
  const extracted = await extractStored(base, {
    ...options,
    existing: "overwrite",
    select: ({ path }) => path === CONTROL_FILE,
    mapPath: () => waiting,
  });
  // Said to be restored from here on, also after a crash.
  const durable = { sync: "directory", within: inDataDirectory(dataDir, options.owner) } as const;
  // Not every archive names each directory, and the other files of this one may be none.
  await makeDirectory(join(dataDir, dirname(CONTROL_FILE)), { ...durable, mode: 0o700, owner: options.owner });
  await moveEntry(join(dataDir, waiting), join(dataDir, CONTROL_FILE), durable);
  return extracted;
}

/** A backup of a restored cluster holds what that restore left: its plan and log must not come in place of this restore's. */
function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

function requireArchive(table: TableOutline, name: string, { label }: BackupRecord): ArchiveOutline {
  const archive = table.archives.find((candidate) => candidate.name === name);
  if (archive !== undefined) return archive;
  throw new SoarError("REPOSITORY_DAMAGED", `the seek table of backup '${label}' has no archive '${name}'`, {
    hint: "Use another backup; soar-backup-verify tells what else is damaged.",
  });
}

/** Recovery creates the links in pg_tblspc from this file, with the very paths that it names (safety, trap 27). */
async function rewriteTablespaceMap({ backup, dataDir, tablespaces, owner }: FetchOptions): Promise<void> {
  const path = join(dataDir, BACKUP_OBJECTS.tablespaceMap);
  const within = inDataDirectory(dataDir, owner);
  const entries = parseTablespaceMap((await readIfPresent(path, { within })) ?? Buffer.alloc(0));
  const moved = entries.map((entry) => {
    const location = tablespaces.get(entry.oid);
    if (location !== undefined) return { ...entry, location };
    throw new SoarError(
      "REPOSITORY_DAMAGED",
      `backup '${backup.label}' has a tablespace_map with a tablespace ${entry.oid} that its record does not have`,
      { hint: "Use another backup. The directory cannot be started as it is." },
    );
  });
  // A crash must not bring back the source's own paths.
  await replaceFile(path, formatTablespaceMap(moved), {
    mode: 0o600,
    keepMode: true,
    owner,
    sync: "directory",
    within,
  });
}

/** Without `backup_label` recovery would begin at the wrong place and corrupt silently: it must be there, byte for byte. */
async function requireBackupLabel(store: ObjectStore, { backup, dataDir, owner, signal }: FetchOptions): Promise<void> {
  const recorded = await readBackupObject(store, backup, BACKUP_OBJECTS.backupLabel, { signal });
  const within = inDataDirectory(dataDir, owner);
  const restored = await readIfPresent(join(dataDir, BACKUP_OBJECTS.backupLabel), { within });
  if (restored?.equals(recorded) === true) return;
  throw new SoarError(
    "REPOSITORY_DAMAGED",
    `backup '${backup.label}' holds another backup_label than the one stored beside it`,
    { hint: "Use another backup. The directory cannot be started as it is." },
  );
}
