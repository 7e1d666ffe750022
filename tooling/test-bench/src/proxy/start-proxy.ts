import { connect, createServer, type Server, type Socket } from "node:net";
import { createImpairmentBook, type ActiveImpairment, type ImpairmentBook, type ImpairmentRule } from "./impairment.ts";
import { startRelay, type RelayOptions } from "./relay.ts";

/** `host:port`, or a unix socket. */
export type ProxyTarget = { readonly host?: string; readonly port: number } | { readonly path: string };

export interface ProxyOptions {
  readonly target: ProxyTarget;
  /** Where to listen; a free one unless told. */
  readonly port?: number;
  /** Rules in force from the start. */
  readonly rules?: readonly ImpairmentRule[];
}

/** One connection through the proxy and what became of it. */
export interface ProxyConnection {
  /** Counted from 1. */
  readonly number: number;
  bytesToTarget: number;
  bytesToClient: number;
  /** `failed`: the target could not be reached, or one of the two sides reset. */
  outcome: "open" | "ended" | "cut" | "refused" | "failed";
}

/** A TCP proxy that misbehaves on demand. */
export interface TestProxy {
  readonly host: string;
  readonly port: number;
  /** All connections since the start. */
  readonly connections: readonly ProxyConnection[];
  impair(rule: ImpairmentRule): ActiveImpairment;
  /** Removes all rules; stalled bytes flow again, cut connections stay cut. */
  heal(): void;
  /** Resets every open connection now. */
  cutAll(): void;
  /** Closes the port: connecting is refused by the operating system, as when a server is down. Open connections stay. */
  stopListening(): Promise<void>;
  /** Opens the same port again. */
  resumeListening(): Promise<void>;
  /** Sends further connections elsewhere, for example after a restart on another port. */
  retarget(target: ProxyTarget): void;
  /** Closes the port and resets every open connection. */
  close(): Promise<void>;
}

const HOST = "127.0.0.1";

export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  let { target } = options;
  const connections: ProxyConnection[] = [];
  const sockets = new Set<Socket>();
  const recheckers = new Set<() => void>();
  const book = createImpairmentBook(() => recheckers.forEach((recheck) => recheck()));
  for (const rule of options.rules ?? []) book.impair(rule);
  const serve = (client: Socket): void => {
    const connection: ProxyConnection = {
      number: connections.length + 1,
      bytesToTarget: 0,
      bytesToClient: 0,
      outcome: "open",
    };
    connections.push(connection);
    if (book.refuses(connection.number)) {
      connection.outcome = "refused";
      client.on("error", () => undefined).resetAndDestroy();
      return;
    }
    const server = connect({ ...target, allowHalfOpen: true, noDelay: true });
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    }
    const { done, recheck } = carry(client, server, connection, book);
    recheckers.add(recheck);
    void done.finally(() => recheckers.delete(recheck));
  };
  let listener = await listen(serve, options.port ?? 0);
  const { port } = listener;
  const cutAll = (): void => sockets.forEach((socket) => void socket.resetAndDestroy());
  return {
    host: HOST,
    port,
    connections,
    impair: book.impair,
    heal: book.clear,
    cutAll,
    stopListening: () => listener.stop(),
    async resumeListening() {
      listener = await listen(serve, port);
    },
    retarget: (other) => void (target = other),
    async close() {
      book.clear();
      const stopped = listener.stop();
      cutAll();
      await stopped;
    },
  };
}

/** Relays both ways and settles how the connection ended. `done` never rejects. */
function carry(
  client: Socket,
  server: Socket,
  connection: ProxyConnection,
  book: ImpairmentBook,
): { done: Promise<void>; recheck: () => void } {
  const { number } = connection;
  const settle = (outcome: "ended" | "cut" | "failed"): boolean => {
    const isFirst = connection.outcome === "open";
    if (isFirst) connection.outcome = outcome;
    return isFirst;
  };
  const cut: RelayOptions["cut"] = (manner) => {
    if (settle("cut")) endBoth(client, server, manner);
  };
  // Failures reach the relays through their reading side; without a listener they would end the process as well.
  for (const socket of [client, server]) socket.on("error", () => undefined);
  const common = { connection: number, cut };
  const toTarget = startRelay({
    ...common,
    from: client,
    to: server,
    find: () => book.find(number, "to-target"),
    onBytes: (count) => void (connection.bytesToTarget += count),
  });
  const toClient = startRelay({
    ...common,
    from: server,
    to: client,
    find: () => book.find(number, "to-client"),
    onBytes: (count) => void (connection.bytesToClient += count),
  });
  const done = Promise.all([toTarget.done, toClient.done]).then(
    () => void settle("ended"),
    () => {
      if (settle("failed")) endBoth(client, server, "reset");
    },
  );
  return {
    done,
    recheck() {
      toTarget.recheck();
      toClient.recheck();
    },
  };
}

function endBoth(client: Socket, server: Socket, manner: "reset" | "end"): void {
  for (const socket of [client, server]) {
    if (manner === "end") socket.destroySoon();
    else socket.resetAndDestroy();
  }
}

interface Listener {
  readonly port: number;
  stop(): Promise<void>;
}

async function listen(serve: (client: Socket) => void, port: number): Promise<Listener> {
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, serve);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    stop: () =>
      new Promise((resolve) => {
        // Closing waits for open connections, which may stay; the port itself is free at once.
        server.close();
        resolve();
      }),
  };
}
