import type { Socket } from "node:net";
import { isRoot, type Owner, statIfPresent } from "@soar/durable-files";
import { connectAs } from "@soar/programs";
import type { ConnectionConfig } from "./connection-config.ts";

/** Path of the socket of a server on this machine; undefined over TCP. */
function socketPath({ host, port }: ConnectionConfig): string | undefined {
  return host.startsWith("/") ? `${host}/.s.PGSQL.${port}` : undefined;
}

/**
 * The user whose server listens on a socket of this machine, where this is root: a server that lets its own user in without a
 * password (`peer`, as on Debian) knows nothing of root. Undefined for anybody but root, over TCP, and where nobody listens.
 */
export async function findServerUser(config: ConnectionConfig): Promise<Owner | undefined> {
  const path = socketPath(config);
  if (!isRoot() || path === undefined || config.isOwnServer === true) return undefined;
  const found = await statIfPresent(path);
  return found?.isSocket() !== true || found.uid === 0 ? undefined : { uid: found.uid, gid: found.gid };
}

/**
 * A connection to the server by the server's own user, where this is root; undefined where we connect ourselves. Rejects with
 * the error of the connection.
 */
export async function connectAsServer(
  config: ConnectionConfig,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<Socket | undefined> {
  const [owner, path] = [await findServerUser(config), socketPath(config)];
  if (owner === undefined || path === undefined) return undefined;
  const socket = await connectAs(owner, path, { timeoutMs, signal });
  /* v8 ignore next -- every user of a machine that runs the tests can run Node */
  if (socket === undefined) return undefined;
  // pg connects what it is given, and waits for that.
  return Object.assign(socket, {
    connect: () => {
      queueMicrotask(() => socket.emit("connect"));
      return socket;
    },
  });
}
