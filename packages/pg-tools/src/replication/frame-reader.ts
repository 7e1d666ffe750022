import type { Socket } from "node:net";
import { asError } from "@soar/errors";
import { type Frame, FrameParser } from "./frame-parser.ts";

/** Above this the socket is paused, so that TCP slows the server down to the pace of the reader. */
const HIGH_WATER_BYTES = 1024 * 1024;
const LOW_WATER_BYTES = HIGH_WATER_BYTES / 2;

/**
 * Reads frames from a socket one by one. Holds at most about a mebibyte (plus one read) that has not been taken yet.
 * While it is paused the server waits in its send call, for which `wal_sender_timeout` does not run in BASE_BACKUP.
 */
export class FrameReader {
  readonly #socket: Socket;
  readonly #parser: FrameParser;
  #queue: Frame[] = [];
  #head = 0;
  #queuedBytes = 0;
  #paused = false;
  #ended: Error | undefined;
  #wake: (() => void) | undefined;

  /** Takes the socket over: nobody else reads from it any more. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.#parser = new FrameParser((frame) => this.#put(frame));
    socket.removeAllListeners("data");
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("the server closed the connection")));
    socket.on("end", () => this.#end(new Error("the server closed the connection")));
    if (socket.destroyed || socket.readableEnded) this.#end(new Error("the server closed the connection"));
  }

  /** Bytes that were received and not taken yet. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** The next frame in order. Rejects when the connection has ended and everything received before was taken. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.#queue[this.#head];
      if (frame !== undefined) return this.#take(frame);
      if (this.#ended !== undefined) throw this.#ended;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Closes the socket; pending and later reads reject with this reason. */
  destroy(reason: Error): void {
    this.#queue = [];
    this.#head = 0;
    this.#queuedBytes = 0;
    this.#end(reason);
    this.#socket.destroy();
  }

  #take(frame: Frame): Frame {
    this.#head += 1;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    this.#queuedBytes -= frame.body.length;
    if (this.#paused && this.#queuedBytes < LOW_WATER_BYTES) {
      this.#paused = false;
      this.#socket.resume();
    }
    return frame;
  }

  #put(frame: Frame): void {
    this.#queue.push(frame);
    this.#queuedBytes += frame.body.length;
  }

  #receive(chunk: Buffer): void {
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.destroy(asError(error));
      return;
    }
    if (this.#queuedBytes > HIGH_WATER_BYTES && !this.#paused) {
      this.#paused = true;
      this.#socket.pause();
    }
    this.#wakeReader();
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    this.#wakeReader();
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
