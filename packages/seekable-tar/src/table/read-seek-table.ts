import { free, mapOrdered } from "@soar/task-pool";
import { MemberList } from "./member-list.ts";
import { parseRow } from "./parse-row.ts";
import type { TableRow } from "./row.ts";
import type { SeekTable, TableOutline } from "./seek-table.ts";
import { StoredFrames } from "./stored-frames.ts";
import { StoredMembers } from "./stored-members.ts";
import {
  type FrameRange,
  framesOf,
  LINE_FEED,
  type ReadFrame,
  readFrame,
  showFrame,
  type StoredTable,
} from "./stored-table.ts";
import { TableBuilder } from "./table-builder.ts";
import { type ExpectedTable, TableWatch } from "./table-watch.ts";

export interface ReadSeekTableOptions extends StoredTable {
  /** What is known of the table without reading it: rows that it leaves no room for are refused before anybody collects them. */
  readonly expected?: ExpectedTable | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Frames that are fetched at once. */
const FRAMES_AHEAD = 3;

/**
 * Yields the rows of a stored seek table frame by frame; those of one have to be gone through before the next is asked for. A row is made
 * when it is asked for: as objects the rows of a frame take ten times the memory of its text. Rejects with `ARCHIVE_DAMAGED` for a frame that is not what was recorded, and as
 * `TableWatch` does for rows that are not what is expected, with `FORMAT_INVALID` for a line that cannot be parsed, and with
 * `REPOSITORY_VERSION` for a table of a later version.
 */
export async function* readSeekTableRows(
  options: ReadSeekTableOptions,
): AsyncGenerator<Iterable<TableRow>, void, undefined> {
  for await (const { rows } of readFrames(options)) yield rows;
}

/** Reads a whole seek table into memory and checks that it is consistent. Rejects as `readSeekTableRows` does. */
export async function readSeekTable(options: ReadSeekTableOptions): Promise<SeekTable> {
  const builder = new TableBuilder((objects) => new MemberList(objects));
  for await (const rows of readSeekTableRows(options)) {
    for (const row of rows) builder.add(row);
  }
  return builder.end();
}

/**
 * Goes through a whole seek table and checks that it is consistent, as `readSeekTable` does, but keeps its entries only. Its members
 * are read again from where they are stored, with `options.fetch`, by whoever goes through them: the memory does not grow with them.
 */
export async function readTableOutline(options: ReadSeekTableOptions): Promise<TableOutline> {
  const frames = new StoredFrames(options);
  const builder = new TableBuilder((objects) => new StoredMembers(frames, objects));
  for await (const { plain, rows } of readFrames(options, true)) {
    frames.beginFrame(plain);
    for (const row of rows) builder.add(row);
  }
  return builder.end();
}

interface FrameRows {
  readonly plain: Buffer;
  readonly rows: Iterable<TableRow>;
}

/** Frames one after the other; `keeps` tells whether the text of one is still wanted when the next is asked for. */
async function* readFrames(options: ReadSeekTableOptions, keeps = false): AsyncGenerator<FrameRows, void, undefined> {
  const { name, expected, signal } = options;
  const watch = expected === undefined ? undefined : new TableWatch(name, expected);
  const read = async (frame: FrameRange, stop: AbortSignal): Promise<ReadFrame> =>
    await readFrame(options, frame, stop);
  for await (const frame of mapOrdered(framesOf(options.frames), read, { maxItems: FRAMES_AHEAD, signal })) {
    const plain = showFrame(options, frame);
    yield { plain, rows: rowsOf(plain, watch) };
    if (!keeps) free(plain);
  }
}

function* rowsOf(plain: Buffer, watch: TableWatch | undefined): Generator<TableRow, void, undefined> {
  const { length } = plain;
  for (let at = 0; at < length;) {
    if (plain.length !== length) throw new Error("the rows of a frame were asked for when it was given back");
    const end = plain.indexOf(LINE_FEED, at);
    const row = parseRow(plain.toString("utf8", at, end));
    watch?.take(row);
    yield row;
    at = end + 1;
  }
}
