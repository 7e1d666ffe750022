import { type IncomingMessage, request as httpRequest } from "node:http";
import { Duplex } from "node:stream";

/** An answer that is handed to Node's own parser as it comes: one with another status, in chunks, or that is no HTTP at all. */
export class ReplayedAnswer {
  readonly message: Promise<IncomingMessage>;
  readonly #socket: Duplex;
  #message: IncomingMessage | undefined;

  /** `onWanted` is called when more of it is wanted, `onEnd` when nothing more is. */
  constructor(onWanted: () => void, onEnd: () => void) {
    this.#socket = new Duplex({ read: onWanted, write: (_chunk, _encoding, callback) => callback() });
    // The request was sent already.
    const outgoing = httpRequest({ method: "GET", createConnection: () => this.#socket });
    this.message = new Promise((resolve, reject) => {
      outgoing.on("error", reject).once("response", (message) => {
        this.#message = message.once("close", onEnd);
        resolve(message);
      });
    });
    outgoing.end();
  }

  /** Whether bytes lie here that its reader has not taken yet. */
  get isUnread(): boolean {
    return (this.#message?.readableLength ?? 0) > 0;
  }

  /** Says whether more is wanted at once. */
  push(bytes: Uint8Array): boolean {
    return this.#socket.push(Buffer.from(bytes));
  }

  /** The connection has ended: with what it had sent, or because of an error. */
  end(error: Error | undefined): void {
    if (error === undefined) {
      this.#socket.push(null);
    } else {
      this.#message?.destroy(error);
      this.#socket.destroy(error);
    }
  }
}
