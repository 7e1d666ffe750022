import { createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { TLSSocket, type TlsOptions } from "node:tls";
import type { ConnectionConfig } from "../src/replication/connection-config.ts";
import { message, parameterStatus, ready } from "./backend-frames.ts";

/** What is sent in answer to a command; `cut` ends the connection behind it without a word. */
export interface Reply {
  /** What the command has to begin with. */
  readonly to: string;
  readonly send: Buffer;
  readonly cut?: boolean;
}

export interface ScriptOptions {
  /** Every command that is expected, in order. */
  readonly replies?: readonly Reply[];
  /** The value of `server_version`; 15.20 unless said otherwise, and not told when empty. */
  readonly version?: string;
  /** Sent instead of a login. */
  readonly refusal?: Buffer;
  /** Nothing is ever answered, not even the login. */
  readonly isSilent?: boolean;
  /** Whether a key for CancelRequest is given, as every server does, and poolers may not. */
  readonly hasCancelKey?: boolean;
  /** 127.0.0.1 unless said otherwise. */
  readonly address?: string;
  /** Directory for a unix socket instead of a port. */
  readonly socketDir?: string;
  /** Without it, encryption is refused. */
  readonly tls?: TlsOptions;
}

export interface ScriptedServer extends AsyncDisposable {
  readonly config: ConnectionConfig;
  /** What the clients said at their start. */
  readonly sessions: Readonly<Record<string, string>>[];
  readonly commands: string[];
  /** Process ids that were to be cancelled. */
  readonly cancelled: number[];
  /** CopyData from the client, without its header. */
  readonly received: Buffer[];
  /** Clients that said goodbye. */
  goodbyes: number;
  /** Certificates that clients showed. */
  readonly certificates: Buffer[];
}

const SSL_REQUEST = 80_877_103;
const CANCEL_REQUEST = 80_877_102;
export const PROCESS_ID = 4711;

/**
 * A server of PostgreSQL's protocol that sends exactly what a test wants, over a real socket: for what no server that can be
 * installed sends. A command that is not expected ends the connection.
 */
export async function startScriptedServer(options: ScriptOptions = {}): Promise<ScriptedServer> {
  const { address = "127.0.0.1" } = options;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serve(socket, options, scripted);
  });
  if (options.socketDir === undefined) server.listen(0, address);
  else server.listen(`${options.socketDir}/.s.PGSQL.5432`);
  await once(server, "listening");
  const port = options.socketDir === undefined ? (server.address() as AddressInfo).port : 5432;
  const scripted: ScriptedServer = {
    config: { host: options.socketDir ?? address, port, user: "soar", tls: { mode: "disable" } },
    sessions: [],
    commands: [],
    cancelled: [],
    received: [],
    goodbyes: 0,
    certificates: [],
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return scripted;
}

/** Reads what the client sends, first without types, and once it has said who it is with them. */
function serve(socket: Socket, options: ScriptOptions, scripted: ScriptedServer): void {
  const replies = [...(options.replies ?? [])];
  let rest = Buffer.alloc(0);
  let hasStarted = false;
  const receive = (chunk: Buffer): void => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const header = hasStarted ? 1 : 0;
      if (rest.length < header + 4 || rest.length < header + rest.readInt32BE(header)) return;
      const length = header + rest.readInt32BE(header);
      const [type, body] = [rest.toString("latin1", 0, header), rest.subarray(header + 4, length)];
      rest = rest.subarray(length);
      if (hasStarted) answer(current, type, body);
      else if (begin(body)) return;
    }
  };
  let current = socket;
  const begin = (body: Buffer): boolean => {
    const code = body.readInt32BE(0);
    if (code === SSL_REQUEST) {
      socket.write(options.tls === undefined ? "N" : "S");
      if (options.tls === undefined) return false;
      socket.removeListener("data", receive);
      const secure = new TLSSocket(socket, { isServer: true, ...options.tls });
      secure.on("secure", () => {
        const { raw } = secure.getPeerCertificate();
        if (raw !== undefined) scripted.certificates.push(raw);
      });
      secure.on("data", receive);
      secure.on("error", () => secure.destroy());
      current = secure;
      return true;
    }
    if (code === CANCEL_REQUEST) {
      scripted.cancelled.push(body.readInt32BE(4));
      socket.end();
      return true;
    }
    const words = body.toString("utf8", 4).split("\0");
    const pairs = words.flatMap((word, at) => (at % 2 === 0 && word !== "" ? [[word, words[at + 1] ?? ""]] : []));
    scripted.sessions.push(Object.fromEntries(pairs) as Record<string, string>);
    hasStarted = true;
    if (options.isSilent !== true) current.write(options.refusal ?? login(options));
    return false;
  };
  let parsed: string | undefined;
  const answer = (client: Socket, type: string, body: Buffer): void => {
    if (type === "Q") reply(client, body.toString("utf8", 0, body.length - 1), []);
    // The extended protocol: Parse has the statement behind its name, Sync wants the answer to all of it.
    else if (type === "P") parsed = body.toString("utf8", body.indexOf(0) + 1, body.indexOf(0, body.indexOf(0) + 1));
    else if (type === "S") reply(client, parsed ?? "", [message("1"), message("2")]);
    else if (type === "d") scripted.received.push(body);
    else if (type === "X") {
      scripted.goodbyes += 1;
      client.end();
    }
  };
  const reply = (client: Socket, command: string, before: readonly Buffer[]): void => {
    // What every session for SQL says first.
    if (command.startsWith("SET "))
      return void client.write(Buffer.concat([message("C", Buffer.from("SET\0")), ready]));
    scripted.commands.push(command);
    const next = replies.shift();
    if (next === undefined || !command.startsWith(next.to)) return void client.destroy();
    client.write(Buffer.concat([...before, next.send]));
    if (next.cut === true) client.end();
  };
  socket.on("data", receive);
  socket.on("error", () => socket.destroy());
}

function login({ version = "15.20 (Debian 15.20-1.pgdg13+1)", hasCancelKey = true }: ScriptOptions): Buffer {
  const authenticated = message("R", Buffer.alloc(4));
  const key = Buffer.alloc(8);
  key.writeInt32BE(PROCESS_ID, 0);
  key.writeInt32BE(42, 4);
  return Buffer.concat([
    authenticated,
    ...(version === "" ? [] : [parameterStatus("server_version", version)]),
    ...(hasCancelKey ? [message("K", key)] : []),
    ready,
  ]);
}
