import { SoarError } from "@soar/errors";
import { parseDataRow, parseRowDescription, parseServerMessage, type ResultSet } from "./backend-messages.ts";
import { type Frame, MESSAGE } from "./frame-parser.ts";
import type { ReplicationConnection } from "./replication-connection.ts";
import type { ServerMessage } from "./server-failure.ts";

export type CopyFrame = Extract<Frame, { kind: "copy" }>;

type ToError = (failure: ServerMessage) => Error;

/** Reads the answer to one command piece by piece, in the order in which the protocol has it. Notices go aside. */
export class ResultReader {
  readonly #connection: ReplicationConnection;
  readonly #onNotice: (notice: ServerMessage) => void;

  constructor(connection: ReplicationConnection, onNotice: (notice: ServerMessage) => void) {
    this.#connection = connection;
    this.#onNotice = onNotice;
  }

  /** The next frame that belongs to the answer. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = await this.#connection.next();
      if (frame.kind === "copy") return frame;
      if (frame.type === MESSAGE.noticeResponse) this.#onNotice(parseServerMessage(frame.body));
      else if (frame.type !== MESSAGE.parameterStatus) return frame;
    }
  }

  /** One result set up to its CommandComplete, or up to the error that came in its place. */
  async resultSet(toError: ToError): Promise<ResultSet> {
    const columns = parseRowDescription(await this.expect(MESSAGE.rowDescription, toError)).map(({ name }) => name);
    const rows: (string | null)[][] = [];
    for (;;) {
      const frame = await this.next();
      if (frame.kind === "message" && frame.type === MESSAGE.dataRow) rows.push(parseDataRow(frame.body));
      else if (frame.kind === "message" && frame.type === MESSAGE.commandComplete) return { columns, rows };
      else throw unexpected(frame, toError);
    }
  }

  /** The rest of a CopyData message, piece by piece as it arrives. */
  async *copyPieces(first: CopyFrame): AsyncGenerator<Buffer, void, void> {
    for (let frame: Frame = first; ;) {
      yield frame.body;
      if (frame.last) return;
      frame = await this.next();
      /* v8 ignore next -- FrameParser gives a message to its end before it begins another */
      if (frame.kind !== "copy") throw unexpected(frame);
    }
  }

  /** A small CopyData message, put together. */
  async wholeCopy(first: CopyFrame): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.copyPieces(first)) parts.push(part);
    return parts.length === 1 ? first.body : Buffer.concat(parts);
  }

  async expect(type: number, toError: ToError): Promise<Buffer> {
    const frame = await this.next();
    if (frame.kind === "message" && frame.type === type) return frame.body;
    throw unexpected(frame, toError);
  }

  /** Reads to the end of the command; returns the error with which it ended, if it did. */
  async readyForQuery(): Promise<ServerMessage | undefined> {
    let failure: ServerMessage | undefined;
    for (;;) {
      const frame = await this.next();
      if (frame.kind !== "message") throw unexpected(frame);
      if (frame.type === MESSAGE.readyForQuery) return failure;
      if (frame.type === MESSAGE.errorResponse) failure = parseServerMessage(frame.body);
      if (failure?.severity === "FATAL") return failure;
    }
  }
}

/** The server's error if that is what came, else a breach of the protocol. */
export function unexpected(frame: Frame, toError?: ToError): Error {
  if (frame.kind === "message" && frame.type === MESSAGE.errorResponse && toError !== undefined)
    return toError(parseServerMessage(frame.body));
  const name = frame.kind === "copy" ? "copy data" : `'${String.fromCharCode(frame.type)}'`;
  return new SoarError("SERVER_FAILED", `unable to read the server's answer: unexpected ${name}`);
}
