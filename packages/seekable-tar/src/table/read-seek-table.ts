import { createHash } from "node:crypto";
import { hasErrorCode, SoarError } from "@soar/errors";
import { mapOrdered } from "@soar/task-pool";
import { invalid } from "../codec/damage.ts";
import { decompressMember } from "../codec/member.ts";
import { parseRow } from "./parse-row.ts";
import type { TableRow } from "./row.ts";
import type { SeekTable } from "./seek-table.ts";
import type { TableFrame } from "./seek-table-writer.ts";
import { TableBuilder } from "./table-builder.ts";
import { type ExpectedTable, TableWatch } from "./table-watch.ts";

export interface ReadSeekTableOptions {
  /** For messages, for example the key of the object. */
  readonly name: string;
  readonly frames: readonly TableFrame[];
  /** Reads bytes of the stored table. */
  readonly fetch: (offset: number, length: number, signal: AbortSignal) => Promise<Buffer>;
  /** What is known of the table without reading it: rows that it leaves no room for are refused before anybody collects them. */
  readonly expected?: ExpectedTable | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of a frame, stored or plain: writers begin another after 4 MiB, and no line is as long. */
const FRAME_LIMIT_BYTES = 8 * 1024 * 1024;
/** Frames that are fetched at once. */
const FRAMES_AHEAD = 3;

/**
 * Yields the rows of a stored seek table frame by frame, with bounded memory. Rejects with `ARCHIVE_DAMAGED` for a
 * frame that is not what was recorded, and as `TableWatch` does for rows that are not what is expected, with `FORMAT_INVALID` for a line that cannot be parsed, and with
 * `REPOSITORY_VERSION` for a table of a later version.
 */
export async function* readSeekTableRows(options: ReadSeekTableOptions): AsyncGenerator<TableRow[], void, undefined> {
  const read = async (range: FrameRange, signal: AbortSignal): Promise<Buffer> =>
    await readFrame(options, range, signal);
  const watch = options.expected === undefined ? undefined : new TableWatch(options.name, options.expected);
  for await (const plain of mapOrdered(rangesOf(options.frames), read, {
    maxItems: FRAMES_AHEAD,
    signal: options.signal,
  })) {
    if (plain.at(-1) !== 0x0a) throw invalid(`the seek table '${options.name}'`, "a frame does not end with a line");
    const rows = plain
      .toString("utf8", 0, plain.length - 1)
      .split("\n")
      .map(parseRow);
    for (const row of rows) watch?.take(row);
    yield rows;
  }
}

/** Reads a whole seek table into memory and checks that it is consistent. Rejects as `readSeekTableRows` does. */
export async function readSeekTable(options: ReadSeekTableOptions): Promise<SeekTable> {
  const builder = new TableBuilder();
  for await (const rows of readSeekTableRows(options)) {
    for (const row of rows) builder.add(row);
  }
  return builder.end();
}

interface FrameRange extends TableFrame {
  readonly offset: number;
}

function* rangesOf(frames: readonly TableFrame[]): Generator<FrameRange> {
  let offset = 0;
  for (const frame of frames) {
    yield { ...frame, offset };
    offset += frame.storedLength;
  }
}

async function readFrame(
  { name, fetch }: ReadSeekTableOptions,
  { offset, storedLength, plainLength, sha256 }: FrameRange,
  signal: AbortSignal,
): Promise<Buffer> {
  const claimed = Math.max(storedLength, plainLength);
  if (claimed > FRAME_LIMIT_BYTES)
    throw damagedTable(name, offset, storedLength, `no frame has ${claimed} bytes, as is claimed of this one`);
  const stored = await fetch(offset, storedLength, signal);
  const plain = await decompressMember("zstd", stored, plainLength).catch((error: unknown) => {
    throw hasErrorCode(error, "FORMAT_INVALID")
      ? damagedTable(name, offset, storedLength, error.message, error)
      : error;
  });
  if (createHash("sha256").update(plain).digest("hex") !== sha256)
    throw damagedTable(name, offset, storedLength, "its SHA-256 is not the recorded one");
  return plain;
}

function damagedTable(name: string, offset: number, length: number, fact: string, cause?: unknown): SoarError {
  return new SoarError(
    "ARCHIVE_DAMAGED",
    `unable to read the seek table '${name}' from byte ${offset} to ${offset + length - 1}: ${fact}`,
    {
      hint: "Compare the object with what was recorded when it was written, and get an undamaged copy of it.",
      cause,
    },
  );
}
