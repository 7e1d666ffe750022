import { readBackupOutline, tableOf, type BackupRecord } from "@soar/repository";
import {
  type CodecPool,
  createCodecPool,
  type PlacedEntry,
  readEntry,
  type ArchiveOutline,
  type TableOutline,
} from "@soar/seekable-tar";
import { type ObjectStore, readObject } from "@soar/storage";
import type { BlockRange } from "./file-list.ts";
import { isZero } from "./page-content.ts";

/** Files that are compared at once: each has some 20 MB of pages in memory, of its own and of the backup. */
export const MOST_AT_ONCE = 4;

/** Pages as the backup has them: fetched for those that have to be compared. */
export class BackupPages implements AsyncDisposable {
  readonly #store: ObjectStore;
  readonly #backup: BackupRecord;
  readonly #signal: AbortSignal | undefined;
  readonly #jobs: number;
  #table: Promise<TableOutline> | undefined;
  #pool: CodecPool | undefined;
  readonly #entries = new Map<string, Map<string, PlacedEntry>>();
  /** Directories with files, by the archive's name. */
  readonly #directories = new Map<string, ReadonlySet<string>>();

  constructor(
    store: ObjectStore,
    backup: BackupRecord,
    { jobs = 1, signal }: { readonly jobs?: number | undefined; readonly signal?: AbortSignal | undefined },
  ) {
    this.#jobs = Math.min(Math.max(jobs, 1), MOST_AT_ONCE);
    this.#store = store;
    this.#backup = backup;
    this.#signal = signal;
  }

  /** The first of these blocks in which the backup has something else than zeros. Ranges that lie close together come with one request. */
  async firstInUse(name: string, ranges: readonly BlockRange[], blockSize: number): Promise<number | undefined> {
    for (const group of groupsOf(ranges, blockSize)) {
      const found = await this.#firstInUse(name, group, blockSize);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #firstInUse(name: string, ranges: readonly BlockRange[], blockSize: number): Promise<number | undefined> {
    const [first, last] = [ranges[0]?.first ?? 0, ranges.at(-1)?.last ?? -1];
    let [block, at] = [first, 0];
    let rest: Buffer = Buffer.alloc(0);
    for await (const bytes of this.#read(name, first * blockSize, (last + 1) * blockSize)) {
      rest = Buffer.concat([rest, bytes]);
      let from = 0;
      for (; from + blockSize <= rest.length; from += blockSize, block += 1) {
        while (block > (ranges[at]?.last ?? Infinity)) at += 1;
        const isAsked = block >= (ranges[at]?.first ?? Infinity);
        if (isAsked && !isZero(rest.subarray(from, from + blockSize))) return block;
      }
      rest = rest.subarray(from);
    }
    return undefined;
  }

  /** One file, or what the backup has of it, to be read from its beginning to its end. */
  open(name: string): BackupFile {
    return new BackupFile((from) => this.#read(name, from, Number.MAX_SAFE_INTEGER));
  }

  /**
   * Whether the backup has files of the database that a file belongs to, in this tablespace: else it was made, or moved, as a copy of
   * files. Only in the database's own tablespace is PG_VERSION one of them.
   */
  async hasDatabaseOf(name: string): Promise<boolean> {
    const [archiveName, path] = placeInBackup(name);
    await this.#find(name);
    return this.#directories.get(archiveName)?.has(directoryOf(path)) === true;
  }

  /** Where the backup has a file, as a number that grows in the order in which it is stored; infinite for what it lacks. */
  readonly placeOf = async (name: string): Promise<number> => {
    const { archive, entry } = (await this.#find(name)) ?? {};
    if (archive === undefined || entry?.type !== "file") return Infinity;
    const { archives } = await this.#outline();
    return archives.indexOf(archive) * MOST_MEMBERS + entry.member;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.close();
  }

  /** As much of the bytes as the backup has. */
  async *#read(name: string, from: number, to: number): AsyncGenerator<Buffer, void, undefined> {
    const { archive, entry } = (await this.#find(name)) ?? {};
    if (archive === undefined || entry?.type !== "file" || entry.size <= from) return;
    this.#pool ??= createCodecPool({ workers: this.#jobs });
    yield* readEntry(archive, entry, {
      pool: this.#pool,
      offset: from,
      length: Math.min(to, entry.size) - from,
      gapBytes: 0,
      // Several files are read at once.
      parallel: 1,
      signal: this.#signal,
      fetch: (key, offset, length, signal) => readObject(this.#store, key, { range: { offset, length }, signal }),
    });
  }

  async #outline(): Promise<TableOutline> {
    return await (this.#table ??= readBackupOutline(this.#store, tableOf(this.#backup), { signal: this.#signal }));
  }

  async #find(name: string): Promise<{ readonly archive: ArchiveOutline; readonly entry: PlacedEntry } | undefined> {
    const [archiveName, path] = placeInBackup(name);
    const archive = (await this.#outline()).archives.find((one) => one.name === archiveName);
    if (archive === undefined) return undefined;
    let entries = this.#entries.get(archiveName);
    if (entries === undefined) {
      entries = new Map(archive.entries.map((entry) => [entry.path.replace(/^\.\//, ""), entry]));
      this.#entries.set(archiveName, entries);
      const files = [...entries].filter(([, { type }]) => type === "file");
      this.#directories.set(archiveName, new Set(files.map(([file]) => directoryOf(file))));
    }
    const entry = entries.get(path);
    return entry === undefined ? undefined : { archive, entry };
  }
}

/** More than an archive has. */
const MOST_MEMBERS = 2 ** 40;

/** What lies between two ranges and is cheaper to read than to ask for what is behind it. */
const GAP_BYTES = 1024 * 1024;

function groupsOf(ranges: readonly BlockRange[], blockSize: number): BlockRange[][] {
  const groups: BlockRange[][] = [];
  for (const range of ranges) {
    const last = groups.at(-1);
    const end = last?.at(-1)?.last;
    if (last !== undefined && end !== undefined && (range.first - end) * blockSize <= GAP_BYTES) last.push(range);
    else groups.push([range]);
  }
  return groups;
}

/** What the backup has of one file. It is fetched from where it is first asked for on, and no further than it is asked. */
export class BackupFile implements AsyncDisposable {
  readonly #open: (from: number) => AsyncGenerator<Buffer, void, undefined>;
  #stream: AsyncGenerator<Buffer, void, undefined> | undefined;
  #position = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(open: (from: number) => AsyncGenerator<Buffer, void, undefined>) {
    this.#open = open;
  }

  /** As much of the bytes as the backup has. Those that follow on the ones before come without another request. */
  async read(position: number, length: number): Promise<Buffer> {
    if (position !== this.#position) await this[Symbol.asyncDispose]();
    this.#stream ??= this.#open(position);
    const parts = [this.#rest];
    let size = this.#rest.length;
    while (size < length) {
      const { value, done } = await this.#stream.next();
      if (done === true) break;
      parts.push(value);
      size += value.length;
    }
    const bytes = Buffer.concat(parts);
    this.#rest = bytes.subarray(length);
    this.#position = position + Math.min(length, size);
    return bytes.subarray(0, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream?.return();
    this.#stream = undefined;
    this.#rest = Buffer.alloc(0);
  }
}

function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Name of the archive, and the path in it. */
function placeInBackup(name: string): readonly [archive: string, path: string] {
  const [, oid, path] = /^pg_tblspc\/(\d+)\/(.+)$/.exec(name) ?? [];
  return oid === undefined || path === undefined ? ["base", name] : [oid, path];
}
