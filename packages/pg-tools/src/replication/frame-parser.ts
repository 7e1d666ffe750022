import { SoarError } from "@soar/errors";

/** A whole message of the server, or a piece of a CopyData message as it came from the socket. */
export type Frame =
  | { readonly kind: "message"; readonly type: number; readonly body: Buffer }
  | { readonly kind: "copy"; readonly body: Buffer; readonly first: boolean; readonly last: boolean };

export const MESSAGE = {
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyOutResponse: 0x48, // H
  copyBothResponse: 0x57, // W
  commandComplete: 0x43, // C
  dataRow: 0x44, // D
  errorResponse: 0x45, // E
  noticeResponse: 0x4e, // N
  parameterStatus: 0x53, // S
  readyForQuery: 0x5a, // Z
  rowDescription: 0x54, // T
} as const;

const HEADER_BYTES = 5;
/** Whole messages here are rows and errors. A longer one means that the stream is not what it should be. */
const LONGEST_MESSAGE = 64 * 2 ** 20;

/**
 * Cuts what the socket delivers into messages (PostgreSQL documentation, "Message Formats"). Pieces of CopyData are
 * passed on as views of the socket's own chunks, without copying and without waiting for the rest of the message:
 * Node allocates a new buffer for every read, so nobody writes into them again. pg's own parser merges into a buffer
 * that it reuses, and keeping its chunks corrupts a backup silently.
 */
export class FrameParser {
  readonly #emit: (frame: Frame) => void;
  #header = Buffer.alloc(0);
  #type = 0;
  /** Bytes of the current message that have not come yet; 0 between messages. */
  #missing = 0;
  #parts: Buffer[] = [];
  #first = false;

  constructor(emit: (frame: Frame) => void) {
    this.#emit = emit;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) rest = this.#missing > 0 ? this.#takeBody(rest) : this.#takeHeader(rest);
  }

  #takeHeader(chunk: Buffer): Buffer {
    const header = this.#header.length === 0 ? chunk : Buffer.concat([this.#header, chunk.subarray(0, HEADER_BYTES)]);
    if (header.length < HEADER_BYTES) {
      this.#header = Buffer.from(header);
      return Buffer.alloc(0);
    }
    const used = HEADER_BYTES - this.#header.length;
    this.#header = Buffer.alloc(0);
    this.#begin(header.readUInt8(0), header.readUInt32BE(1) - 4);
    return chunk.subarray(used);
  }

  #begin(type: number, length: number): void {
    if (length < 0 || (type !== MESSAGE.copyData && length > LONGEST_MESSAGE)) {
      throw new SoarError(
        "SERVER_FAILED",
        `unable to read the server's messages: a message of type ${type} claims ${length} bytes`,
      );
    }
    this.#type = type;
    this.#missing = length;
    this.#first = true;
    this.#parts = [];
    if (length === 0) this.#deliver(Buffer.alloc(0));
  }

  #takeBody(chunk: Buffer): Buffer {
    const body = chunk.length > this.#missing ? chunk.subarray(0, this.#missing) : chunk;
    this.#missing -= body.length;
    this.#deliver(body);
    return chunk.subarray(body.length);
  }

  #deliver(body: Buffer): void {
    const last = this.#missing === 0;
    if (this.#type === MESSAGE.copyData) {
      this.#emit({ kind: "copy", body, first: this.#first, last });
      this.#first = false;
      return;
    }
    this.#parts.push(body);
    if (!last) return;
    this.#emit({
      kind: "message",
      type: this.#type,
      body: this.#parts.length === 1 ? body : Buffer.concat(this.#parts),
    });
    this.#parts = [];
  }
}
