import { readBackupTable, tableOf, type BackupRecord } from "@soar/repository";
import { type CodecPool, createCodecPool, findEntry, readEntry, type SeekTable } from "@soar/seekable-tar";
import { type ObjectStore, readObject } from "@soar/storage";
import type { BlockRange } from "./file-list.ts";
import { isZero } from "./judge-pages.ts";

/** Pages as the backup has them: fetched one by one, for the few that have to be compared. */
export class BackupPages implements AsyncDisposable {
  readonly #store: ObjectStore;
  readonly #backup: BackupRecord;
  readonly #signal: AbortSignal | undefined;
  #table: Promise<SeekTable> | undefined;
  #pool: CodecPool | undefined;

  constructor(store: ObjectStore, backup: BackupRecord, { signal }: { readonly signal?: AbortSignal | undefined }) {
    this.#store = store;
    this.#backup = backup;
    this.#signal = signal;
  }

  /** Blocks of a range that the backup has, and in which it has something else than zeros: the first of them. */
  async firstInUse(name: string, { first, last }: BlockRange, blockSize: number): Promise<number | undefined> {
    let block = first;
    let rest = Buffer.alloc(0);
    for await (const bytes of this.#read(name, first * blockSize, (last + 1) * blockSize)) {
      rest = Buffer.concat([rest, bytes]);
      let at = 0;
      for (; at + blockSize <= rest.length; at += blockSize, block += 1)
        if (!isZero(rest.subarray(at, at + blockSize))) return block;
      rest = rest.subarray(at);
    }
    return undefined;
  }

  /** One page; undefined where the backup has none. */
  async page(name: string, block: number, blockSize: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for await (const bytes of this.#read(name, block * blockSize, (block + 1) * blockSize)) parts.push(bytes);
    const page = Buffer.concat(parts);
    return page.length === blockSize ? page : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.close();
  }

  /** As much of the bytes as the backup has. */
  async *#read(name: string, from: number, to: number): AsyncGenerator<Buffer, void, undefined> {
    this.#table ??= readBackupTable(this.#store, tableOf(this.#backup), { signal: this.#signal });
    const [archiveName, path] = placeInBackup(name);
    const archive = (await this.#table).archives.find((one) => one.name === archiveName);
    if (archive === undefined) return;
    const entry = findEntry(archive, path) ?? findEntry(archive, `./${path}`);
    if (entry?.type !== "file" || entry.size <= from) return;
    this.#pool ??= createCodecPool({ workers: 1 });
    yield* readEntry(archive, entry, {
      pool: this.#pool,
      offset: from,
      length: Math.min(to, entry.size) - from,
      gapBytes: 0,
      signal: this.#signal,
      fetch: (key, offset, length, signal) => readObject(this.#store, key, { range: { offset, length }, signal }),
    });
  }
}

/** Name of the archive, and the path in it. */
function placeInBackup(name: string): readonly [archive: string, path: string] {
  const [, oid, path] = /^pg_tblspc\/(\d+)\/(.+)$/.exec(name) ?? [];
  return oid === undefined || path === undefined ? ["base", name] : [oid, path];
}
