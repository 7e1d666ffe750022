import { connect, type Socket } from "node:net";
import {
  LONGEST_LINE,
  parseMessage,
  type PushAnswer,
  type PushRequest,
  type SocketMessage,
  type SocketRequest,
} from "./socket-protocol.ts";
import { doubtOfSocket } from "./socket-trust.ts";

/** An archiver on this machine answers within this time that it has heard; a stopped or stuck one does not. */
const HEARD_WITHIN_MS = 3_000;
/** Added to the time that the archiver says it will take. */
const GRACE_MS = 5_000;

export interface AskOptions {
  /** Told what speaks against the socket; nobody is asked then. */
  readonly onDoubt?: ((doubt: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks the resident archiver to archive a file. Undefined when there is none, when it is not for this file or bucket, when
 * somebody else may have made its socket, when it went away, or when the signal aborted: the caller does the work itself
 * then, which is always right. Imports nothing but Node, because PostgreSQL starts a process per segment that does only this.
 */
export async function askArchiver(
  socketPath: string,
  push: PushRequest,
  options: AskOptions = {},
): Promise<PushAnswer | undefined> {
  for await (const message of converse(socketPath, { push }, options)) {
    if ("done" in message || "failed" in message) return message;
    if ("declined" in message) return undefined;
  }
  return undefined;
}

/** What the resident archiver says about itself; undefined when none answers. */
export async function askStatus(socketPath: string, options: AskOptions = {}): Promise<unknown> {
  for await (const message of converse(socketPath, { status: {} }, options))
    if ("status" in message) return message.status;
  return undefined;
}

/** The messages that come back until the other side closes, fails, or is late. */
async function* converse(
  path: string,
  request: SocketRequest,
  { onDoubt, signal }: AskOptions,
): AsyncGenerator<SocketMessage, void, undefined> {
  const doubt = doubtOfSocket(path);
  if (doubt !== undefined) return onDoubt?.(doubt);
  if (signal?.aborted === true) return;
  const socket = connect(path);
  const hangUp = (): void => void socket.destroy();
  signal?.addEventListener("abort", hangUp, { once: true });
  try {
    socket.setEncoding("utf8");
    let timer = expireAfter(socket, HEARD_WITHIN_MS);
    socket.write(`${JSON.stringify(request)}\n`);
    let buffered = "";
    for await (const text of socket as AsyncIterable<string>) {
      buffered += text;
      if (buffered.length > LONGEST_LINE) return;
      const lines = buffered.split("\n");
      buffered = lines.pop() ?? "";
      for (const line of lines) {
        const message = parseMessage(line);
        // Who speaks something else is no archiver of this version.
        if (message === undefined) return;
        if ("accepted" in message) {
          clearTimeout(timer);
          timer = expireAfter(socket, message.accepted.timeoutMs + GRACE_MS);
        }
        yield message;
      }
    }
  } catch (error) {
    // No socket, nobody behind it, not allowed, broken off: all mean that nobody answers. Anything else is a bug.
    if (!isConnectionFailure(error)) throw error;
  } finally {
    signal?.removeEventListener("abort", hangUp);
    socket.destroy();
  }
}

function expireAfter(socket: Socket, ms: number): NodeJS.Timeout {
  const timer = setTimeout(() => socket.destroy(), ms);
  socket.once("close", () => clearTimeout(timer));
  return timer;
}

function isConnectionFailure(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    /^(E[A-Z]+|ERR_STREAM_PREMATURE_CLOSE|ERR_STREAM_DESTROYED)$/.test(error.code)
  );
}
