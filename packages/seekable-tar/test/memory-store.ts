import { SeekTableWriter, type SeekTableSummary } from "../src/table/seek-table-writer.ts";
import { readSeekTable, readTableOutline } from "../src/table/read-seek-table.ts";
import type { SeekTable, TableOutline } from "../src/table/seek-table.ts";
import type { ExpectedTable } from "../src/table/table-watch.ts";
import type { WriteSummary } from "../src/write/member-writer.ts";
import { type WriteSeekableTarOptions, writeSeekableTar } from "../src/write/write-seekable-tar.ts";

/** Objects in memory with the `fetch` that readers take, and what was asked of it. */
export class MemoryStore {
  readonly objects = new Map<string, Buffer>();
  readonly fetched: { object: string; offset: number; length: number }[] = [];

  readonly fetch = async (object: string, offset: number, length: number): Promise<Buffer> => {
    this.fetched.push({ object, offset, length });
    const bytes = this.objects.get(object);
    if (bytes === undefined) throw new Error(`no object ${object}`);
    return await Promise.resolve(Buffer.from(bytes.subarray(offset, offset + length)));
  };

  bytes(object: string): Buffer {
    const bytes = this.objects.get(object);
    if (bytes === undefined) throw new Error(`no object ${object}`);
    return bytes;
  }
}

export interface Archived {
  readonly table: SeekTable;
  readonly tableBytes: Buffer;
  readonly tableSummary: SeekTableSummary;
  readonly summaries: WriteSummary[];
}

export type ArchiveSource = Pick<WriteSeekableTarOptions, "name" | "objectKey" | "source">;

/** Writes archives into the store and reads their seek table back. */
export async function archiveInto(
  store: MemoryStore,
  sources: readonly ArchiveSource[],
  options: Omit<WriteSeekableTarOptions, "table" | keyof ArchiveSource> & { frameBytes?: number },
): Promise<Archived> {
  const frames: Buffer[] = [];
  const writer = new SeekTableWriter({
    chunkBytes: options.chunkBytes ?? 0,
    sink: (frame) => void frames.push(frame),
    frameBytes: options.frameBytes,
  });
  const summaries: WriteSummary[] = [];
  for (const source of sources) {
    const write = writeSeekableTar({ ...options, ...source, table: writer });
    for await (const { key, body } of write.objects())
      store.objects.set(key, Buffer.concat(await Array.fromAsync(body)));
    summaries.push(write.summary());
  }
  const tableSummary = await writer.end();
  const tableBytes = Buffer.concat(frames);
  // What writers make has to be what readers expect.
  const archives = new Map(sources.map(({ name }, at) => [name, summaries[at]?.plainBytes ?? 0]));
  const table = await loadTable(tableBytes, tableSummary, { archives, objects: 100 });
  return { table, tableBytes, tableSummary, summaries };
}

export async function loadTable(
  bytes: Buffer,
  { frames }: Pick<SeekTableSummary, "frames">,
  expected?: ExpectedTable,
): Promise<SeekTable> {
  return await readSeekTable({
    name: "index.zst",
    frames,
    expected,
    fetch: async (offset, length) => await Promise.resolve(bytes.subarray(offset, offset + length)),
  });
}

/** The same table with only its entries in memory; `fetched` counts what is read of it. */
export async function loadOutline(
  { tableBytes, tableSummary: { frames } }: Pick<Archived, "tableBytes" | "tableSummary">,
  fetched: number[] = [],
): Promise<TableOutline> {
  return await readTableOutline({
    name: "index.zst",
    frames,
    fetch: async (offset, length) => {
      fetched.push(offset);
      return await Promise.resolve(tableBytes.subarray(offset, offset + length));
    },
  });
}

export async function collect<Item>(source: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of source) items.push(item);
  return items;
}
