import { chmod, realpath } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { removeFile } from "@soar/durable-files";
import { exitStatusOf, hasErrorCode, isSoarError, messageOf, SoarError } from "@soar/errors";
import { walPath } from "../server-wal/wal-path.ts";
import { doubtOfSocketPlace } from "./socket-trust.ts";
import type { ArchiveAnswer } from "./archive-requests.ts";
import { meansSameRepository, type RepositoryBinding } from "./repository-binding.ts";
import {
  LONGEST_LINE,
  type PushAnswer,
  type PushRequest,
  type SocketMessage,
  type SocketRequest,
} from "./socket-protocol.ts";

export interface SocketServerOptions {
  readonly socketPath: string;
  readonly dataDir: string;
  readonly binding: RepositoryBinding;
  readonly timeoutMs: number;
  readonly logsArchive: boolean;
  request(name: string): Promise<ArchiveAnswer>;
  status(): Promise<unknown>;
}

/** Of libuv's four threads. */
const MOST_LOOKUPS = 1;

export interface SocketServer {
  close(): Promise<void>;
}

/**
 * Answers the callers of `archive_command` over a unix socket that only its owner may connect to. Rejects with
 * `CONFIG_INVALID` when another archiver answers there already.
 */
export async function startSocketServer(options: SocketServerOptions): Promise<SocketServer> {
  const { socketPath } = options;
  const connections = new Set<Socket>();
  const lookups = new Set<string>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    // A caller that went away is no failure of ours; the file is archived anyway.
    socket.on("error", () => socket.destroy());
    readRequest(socket, (line) => void answer(socket, line, { ...options, lookups }));
  });
  const doubt = doubtOfSocketPlace(dirname(socketPath));
  if (doubt !== undefined)
    throw new SoarError("CONFIG_INVALID", `unable to listen on '${socketPath}': ${doubt}`, {
      hint: "Whoever can put a socket there can answer for the archiver. Name another place with --socket.",
    });
  // Whoever listened here is gone: the spool's lock was taken before.
  await removeFile(socketPath, { sync: "none" });
  await listen(server, socketPath);
  await chmod(socketPath, 0o600);
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of connections) socket.end();
      const timer = setTimeout(() => connections.forEach((socket) => socket.destroy()), 1_000);
      await closed;
      clearTimeout(timer);
    },
  };
}

function listen(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const hint =
        cause.code === "EINVAL" || socketPath.length > 100
          ? "Paths of sockets have at most 107 bytes: set --socket."
          : `'${dirname(socketPath)}' has to belong to the server's user, who runs the archiver.`;
      reject(
        new SoarError("FILE_UNWRITABLE", `unable to listen on '${socketPath}': ${cause.message}`, { cause, hint }),
      );
    });
    server.listen(socketPath, resolve);
  });
}

function readRequest(socket: Socket, onLine: (line: string) => void): void {
  let buffered = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    buffered += text;
    const end = buffered.indexOf("\n");
    if (end >= 0) {
      socket.removeAllListeners("data").resume();
      onLine(buffered.slice(0, end));
    } else if (buffered.length > LONGEST_LINE) socket.destroy();
  });
}

/** Beside the options, the directories that are being looked up. */
type Answering = SocketServerOptions & { readonly lookups: Set<string> };

async function answer(socket: Socket, line: string, options: Answering): Promise<void> {
  const say = (message: SocketMessage): void => void (socket.writable && socket.write(`${JSON.stringify(message)}\n`));
  try {
    const request = JSON.parse(line) as SocketRequest;
    if ("status" in request) say({ status: await options.status() });
    else say(await push(request.push, say, options));
  } catch (error) {
    say(failureOf(error));
  }
  socket.end();
}

async function push(
  request: PushRequest,
  say: (message: SocketMessage) => void,
  options: Answering,
): Promise<PushAnswer> {
  const reason = await reasonToDecline(request, options);
  if (reason !== undefined) return { declined: reason };
  say({ accepted: { timeoutMs: options.timeoutMs } });
  const { outcome, warning } = await options.request(request.name);
  return { done: { answer: outcome, logsArchive: options.logsArchive, warning } };
}

/** Another cluster's file, or another bucket: this archiver has no say in them. */
async function reasonToDecline(
  { directory, name, caller, repository }: PushRequest,
  { dataDir, binding, lookups }: Answering,
): Promise<string | undefined> {
  if (name.includes("/")) return "this is no file name";
  const isSame =
    caller === undefined
      ? repository?.bucket === binding.bucket.value && repository.endpoint === binding.endpoint.value
      : meansSameRepository(binding, caller);
  if (!isSame) return "the archiver writes to another repository, or it cannot be told";
  const own = dirname(walPath(dataDir, "x"));
  if (directory === own) return undefined;
  // On a file system that hangs this keeps one of the few threads for files, for ever: those that come after must not take more.
  if (lookups.size >= MOST_LOOKUPS) return "the archiver looks up the directories of other callers";
  lookups.add(directory);
  try {
    const [theirs, ours] = await Promise.all([realpath(directory), realpath(own)]);
    return theirs === ours ? undefined : "the archiver belongs to another data directory";
  } finally {
    lookups.delete(directory);
  }
}

function failureOf(error: unknown): PushAnswer {
  // It is stopping; the caller goes on by itself.
  if (hasErrorCode(error, "ABORTED")) return { declined: error.message };
  const message = messageOf(error);
  const { code, hint } = isSoarError(error)
    ? error
    : { code: "BUG", hint: "This is a bug; the archiver's log has more." };
  return { failed: { code, message, hint, exitStatus: exitStatusOf(error) } };
}
