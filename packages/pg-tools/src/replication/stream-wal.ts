import { SoarError } from "@soar/errors";
import { formatLsn, parseLsn } from "../wal-names/lsn.ts";
import { MESSAGE } from "./frame-parser.ts";
import type { ReplicationConnection } from "./replication-connection.ts";
import { quoteIdentifier } from "./quote-sql.ts";
import { ResultReader, unexpected } from "./result-reader.ts";
import { commandFailure, type ServerMessage } from "./server-failure.ts";
import { queryMessage } from "./sql-messages.ts";
import { statusUpdate, timeOfServer, type WalPositions } from "./wal-status.ts";

export interface StreamWalOptions {
  readonly startLsn: bigint;
  readonly timeline: number;
  /** A physical slot; without one the server may remove WAL that was not streamed yet. */
  readonly slot?: string | undefined;
  /**
   * What is durable already, reported at once on connecting: the server takes a receiver for a synchronous one only when
   * it has reported a position. Nothing is claimed unless given.
   */
  readonly durableLsn?: bigint | undefined;
  /** How often the positions are reported by themselves; 10 seconds unless said otherwise, far below `wal_sender_timeout`. */
  readonly statusIntervalMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export type WalStreamEvent =
  /** WAL from `startLsn` on. The buffer may be kept. `serverEndLsn` is the end of WAL on the server. */
  | {
      readonly type: "data";
      readonly startLsn: bigint;
      readonly serverEndLsn: bigint;
      readonly sentAt: Date;
      readonly chunk: Buffer;
    }
  | { readonly type: "keepalive"; readonly serverEndLsn: bigint; readonly sentAt: Date }
  /** The server left this timeline at `switchLsn`; the stream is over and the connection ready for another command. */
  | { readonly type: "timeline-end"; readonly nextTimeline: number; readonly switchLsn: bigint };

/** A running START_REPLICATION. Iterate it once; leaving the loop early ends the connection. */
export interface WalStream extends AsyncIterable<WalStreamEvent> {
  /**
   * Tells the server how far WAL is safe, at once and with every later status. With `synchronous_standby_names` this
   * releases commits, so it must be called for what is durable only. One position is reported as written, flushed and
   * applied: a receiver that reports only flush lets `remote_write` and `remote_apply` wait for ever.
   */
  report(durableLsn: bigint): void;
}

const STATUS_INTERVAL_MS = 10_000;
const WAL_DATA = 0x77; // w
const KEEPALIVE = 0x6b; // k
const DATA_HEADER = 25;

/**
 * Streams WAL. Nothing is sent to the server before the first `next()`. Status goes out by a timer, whether anybody reads
 * or not, so that a slow consumer is not taken for a dead one.
 *
 * Iterating rejects with `SERVER_UNSUITABLE` or `SERVER_FAILED` (for example when the WAL was removed already), with
 * `SERVER_FAILED` (retryable) when the connection is lost, `ABORTED` on the signal.
 */
export function streamWal(connection: ReplicationConnection, options: StreamWalOptions): WalStream {
  const state: { durable: bigint; streaming: boolean } = { durable: options.durableLsn ?? 0n, streaming: false };
  const sendStatus = (): void => {
    if (state.streaming) connection.send(statusUpdate(positionsOf(state.durable), new Date()));
  };
  return {
    report(durableLsn) {
      state.durable = durableLsn;
      sendStatus();
    },
    [Symbol.asyncIterator]: () => iterate(connection, options, { state, sendStatus }),
  };
}

function positionsOf(lsn: bigint): WalPositions {
  return { written: lsn, flushed: lsn, applied: lsn };
}

interface Status {
  readonly state: { durable: bigint; streaming: boolean };
  sendStatus(): void;
}

async function* iterate(
  connection: ReplicationConnection,
  options: StreamWalOptions,
  { state, sendStatus }: Status,
): AsyncGenerator<WalStreamEvent, void, undefined> {
  using _abort = connection.abortWith(options.signal);
  const results = new ResultReader(connection, () => undefined);
  const toError = (failure: ServerMessage): Error =>
    commandFailure(`stream WAL from ${formatLsn(options.startLsn)} of '${connection.location}'`, failure);
  let timer: NodeJS.Timeout | undefined;
  let finished = false;
  try {
    connection.send(queryMessage(startCommand(options)));
    // A server that has left this timeline before the start answers with the result set at once.
    const first = await results.next();
    if (first.kind === "message" && first.type === MESSAGE.copyBothResponse) {
      state.streaming = true;
      sendStatus();
      timer = setInterval(sendStatus, options.statusIntervalMs ?? STATUS_INTERVAL_MS);
      yield* readCopy(results, sendStatus, toError);
      connection.send(COPY_DONE);
    } else throw unexpected(first, toError);
    state.streaming = false;
    yield await readTimelineEnd(results, toError);
    finished = true;
  } finally {
    state.streaming = false;
    clearInterval(timer);
    if (!finished)
      connection.abandon(
        new SoarError("ABORTED", `unable to go on streaming WAL from '${connection.location}': its reader stopped`),
      );
  }
}

const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);

function startCommand({ startLsn, timeline, slot }: StreamWalOptions): string {
  return `START_REPLICATION ${slot === undefined ? "" : `SLOT ${quoteIdentifier(slot)} `}PHYSICAL ${formatLsn(startLsn)} TIMELINE ${timeline}`;
}

async function* readCopy(
  results: ResultReader,
  sendStatus: () => void,
  toError: (failure: ServerMessage) => Error,
): AsyncGenerator<WalStreamEvent, void, undefined> {
  for (;;) {
    const frame = await results.next();
    if (frame.kind === "message" && frame.type === MESSAGE.copyDone) return;
    if (frame.kind === "message") throw unexpected(frame, toError);
    const body = await results.wholeCopy(frame);
    const [serverEndLsn, sentAt] =
      body[0] === KEEPALIVE
        ? [body.readBigUInt64BE(1), timeOfServer(body.readBigInt64BE(9))]
        : [body.readBigUInt64BE(9), timeOfServer(body.readBigInt64BE(17))];
    if (body[0] === WAL_DATA) {
      yield {
        type: "data",
        startLsn: body.readBigUInt64BE(1),
        serverEndLsn,
        sentAt,
        chunk: body.subarray(DATA_HEADER),
      };
      continue;
    }
    if (body[0] !== KEEPALIVE)
      throw new SoarError("SERVER_FAILED", `unable to read streamed WAL: unknown message kind ${body[0]}`);
    // Answered whether asked or not: a synchronous commit may be waiting for it.
    sendStatus();
    yield { type: "keepalive", serverEndLsn, sentAt };
  }
}

async function readTimelineEnd(
  results: ResultReader,
  toError: (failure: ServerMessage) => Error,
): Promise<WalStreamEvent> {
  const { rows } = await results.resultSet(toError);
  const failure = await results.readyForQuery();
  if (failure !== undefined) throw toError(failure);
  const [timeline, lsn] = rows[0] ?? [];
  if (timeline == null || lsn == null)
    throw new SoarError("SERVER_FAILED", "unable to read where the timeline ends: the server did not say");
  return { type: "timeline-end", nextTimeline: Number(timeline), switchLsn: parseLsn(lsn) };
}
