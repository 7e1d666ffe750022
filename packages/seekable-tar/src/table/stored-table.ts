import { createHash } from "node:crypto";
import { hasErrorCode, SoarError } from "@soar/errors";
import { free } from "@soar/task-pool";
import { invalid } from "../codec/damage.ts";
import { decompressMember } from "../codec/member.ts";
import type { TableFrame } from "./seek-table-writer.ts";

/** A seek table as it is stored. */
export interface StoredTable {
  /** For messages, for example the key of the object. */
  readonly name: string;
  readonly frames: readonly TableFrame[];
  /** Reads bytes of the stored table, into memory that nobody else uses: a buffer that fills its memory is emptied when it was read. */
  readonly fetch: (offset: number, length: number, signal: AbortSignal) => Promise<Buffer>;
  /** Is shown what was read, in order the first time; only for as long as the call takes. */
  readonly onFrame?: ((stored: Buffer) => void) | undefined;
}

/** Bytes of a frame, stored or plain: writers begin another after 4 MiB, and no line is as long. */
const FRAME_LIMIT_BYTES = 8 * 1024 * 1024;
export const LINE_FEED = 0x0a;

/** A frame and where it is stored. */
export interface FrameRange extends TableFrame {
  readonly offset: number;
}

export function* framesOf(frames: readonly TableFrame[]): Generator<FrameRange> {
  let offset = 0;
  for (const frame of frames) {
    yield { ...frame, offset };
    offset += frame.storedLength;
  }
}

/** A frame as it was read. */
export interface ReadFrame {
  readonly stored: Buffer;
  /** Its text, which ends with a line. */
  readonly plain: Buffer;
}

/** Shows what was read of a frame and gives its memory back: its text is what is left. */
export function showFrame({ onFrame }: StoredTable, { stored, plain }: ReadFrame): Buffer {
  onFrame?.(stored);
  if (stored.byteLength === stored.buffer.byteLength) free(stored);
  return plain;
}

/** Rejects with `ARCHIVE_DAMAGED` for a frame that is not what was recorded. */
export async function readFrame(
  { name, fetch }: StoredTable,
  { offset, storedLength, plainLength, sha256 }: FrameRange,
  signal: AbortSignal,
): Promise<ReadFrame> {
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
  if (plain.at(-1) !== LINE_FEED) throw invalid(`the seek table '${name}'`, "a frame does not end with a line");
  return { stored, plain };
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
