import { connect } from "node:net";
import type { ConnectionConfig } from "./connection-config.ts";

/** What the server gave a session at its start, to have it cancelled (BackendKeyData). */
export interface CancelKey {
  readonly processId: number;
  readonly secretKey: number;
}

const CANCEL_REQUEST_CODE = 80_877_102;
const CANCEL_TIMEOUT_MS = 5_000;

/**
 * Asks the server over a second connection to stop what the session is doing (PostgreSQL documentation, "Canceling
 * Requests in Progress"), for example waiting for a checkpoint, which it would go on doing after its client has gone.
 * Best effort by design of the protocol: there is no answer. In plain text like libpq's before version 17, as servers
 * accept it before pg_hba.conf is looked at; the key is good for this one session only. Without a key, which only a pooler leaves out, nothing is sent.
 */
export function sendCancelRequest(config: ConnectionConfig, key: CancelKey | undefined): void {
  if (key === undefined) return;
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(CANCEL_REQUEST_CODE, 4);
  request.writeInt32BE(key.processId, 8);
  request.writeInt32BE(key.secretKey, 12);
  const socket = config.host.startsWith("/")
    ? connect(`${config.host}/.s.PGSQL.${config.port}`)
    : connect(config.port, config.host);
  socket.setTimeout(CANCEL_TIMEOUT_MS, () => socket.destroy());
  // The session is given up by its own socket in any case: without the request the server only notices later.
  socket.on("error", () => socket.destroy());
  socket.on("connect", () => socket.end(request));
  socket.resume();
}
