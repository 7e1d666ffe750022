import { hasErrorCode, SoarError } from "@soar/errors";
import {
  type ExpectedTable,
  readSeekTable,
  readSeekTableRows,
  readTableOutline,
  type SeekTable,
  type TableFrame,
  type TableOutline,
  type TableRow,
} from "@soar/seekable-tar";
import { type CallOptions, type ObjectStore, readObject } from "@soar/storage";
import type { BackupRecord } from "./backup-record.ts";
import { BACKUP_OBJECTS, backupKey } from "./keys.ts";

/** Where the table of a backup lies, and what its frames must be. */
export interface BackupTable {
  readonly label: string;
  readonly frames: readonly TableFrame[];
  /** What the record leaves room for; undefined for a table that this process has written itself. */
  readonly expected?: ExpectedTable | undefined;
}

export interface ReadTableOptions extends CallOptions {
  /** Is shown every frame that was read, in order, for as long as the call takes. */
  readonly onFrame?: ((frame: Buffer) => void) | undefined;
}

/** Of one backup: a tar stream for each tablespace. No server has so many. */
const MOST_ARCHIVES = 1000;
/**
 * Plain bytes of a table that is collected as it is read: rows are a few hundred thousand at the most. A larger one is gone through
 * without collecting anything first, so that it has to be whole before it takes memory.
 */
const COLLECTED_AT_ONCE_BYTES = 16 * 1024 * 1024;

/** The table as the record of its backup describes it. */
export function tableOf({
  label,
  index,
  archives,
  references,
}: Pick<BackupRecord, "label" | "index" | "archives" | "references">): BackupTable {
  return {
    label,
    expected: {
      archives: new Map(archives.map(({ name, tar }) => [name, tar])),
      objects: (references.length + 1) * MOST_ARCHIVES,
    },
    frames: index.members.map(([storedLength, plainLength, sha256]) => ({ storedLength, plainLength, sha256 })),
  };
}

/**
 * Reads the seek table of a backup into memory and checks that it is consistent. Rejects with `REPOSITORY_DAMAGED` for a
 * frame that is not what was recorded, else as `readSeekTable` does.
 */
export async function readBackupTable(
  store: ObjectStore,
  table: BackupTable,
  options: ReadTableOptions = {},
): Promise<SeekTable> {
  return await readWhole(store, table, options, readSeekTable);
}

/**
 * `readBackupTable`, but with the entries only in memory: members are read again where they are stored, in a few frames, by whoever goes
 * through them, so that memory does not grow with the database. `onFrame` is shown these, too. Going through the members rejects
 * with `ARCHIVE_DAMAGED`.
 */
export async function readBackupOutline(
  store: ObjectStore,
  table: BackupTable,
  options: ReadTableOptions = {},
): Promise<TableOutline> {
  return await readWhole(store, table, options, readTableOutline);
}

async function readWhole<Table>(
  store: ObjectStore,
  table: BackupTable,
  options: ReadTableOptions,
  read: (table: Parameters<typeof readSeekTable>[0]) => Promise<Table>,
): Promise<Table> {
  try {
    const plainBytes = table.frames.reduce((sum, { plainLength }) => sum + plainLength, 0);
    if (table.expected !== undefined && plainBytes > COLLECTED_AT_ONCE_BYTES)
      await goThrough(readSeekTableRows(readerOf(store, table, { signal: options.signal })));
    return await read(readerOf(store, table, options));
  } catch (error) {
    throw asRepositoryDamage(error);
  }
}

/** The rows of the table frame by frame, with bounded memory; those of one are gone through before the next is asked for. Rejects as `readBackupTable` does. */
export async function* readBackupTableRows(
  store: ObjectStore,
  table: BackupTable,
  options: ReadTableOptions = {},
): AsyncGenerator<Iterable<TableRow>, void, undefined> {
  try {
    yield* readSeekTableRows(readerOf(store, table, options));
  } catch (error) {
    throw asRepositoryDamage(error);
  }
}

async function goThrough(table: AsyncIterable<Iterable<TableRow>>): Promise<void> {
  let isEnded = false;
  for await (const rows of table) for (const { kind } of rows) isEnded = kind === "end";
  if (isEnded) return;
  throw new SoarError("FORMAT_INVALID", "unable to read the seek table: it ends before its last line", {
    hint: "Run a verification of the repository, and restore an earlier version of the object, or use another backup.",
  });
}

/**
 * The error to throw instead of one of seekable-tar, which knows archives and no repository: damage of an archive is that of an
 * object of the repository. Every other error stays what it is.
 */
export function asRepositoryDamage(error: unknown): unknown {
  if (!hasErrorCode(error, "ARCHIVE_DAMAGED")) return error;
  return new SoarError("REPOSITORY_DAMAGED", error.message, {
    hint: "Run a verification of the repository, and restore an earlier version of the object, or use another backup.",
    cause: error,
  });
}

function readerOf(
  store: ObjectStore,
  { label, frames, expected }: BackupTable,
  { onFrame, signal }: ReadTableOptions,
): Parameters<typeof readSeekTable>[0] {
  const key = backupKey(label, BACKUP_OBJECTS.index);
  return {
    name: `${store.location}/${key}`,
    frames,
    expected,
    fetch: (offset, length, stop) => readObject(store, key, { range: { offset, length }, signal: stop }),
    onFrame,
    signal,
  };
}
