import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { ProgramOwner } from "./program-options.ts";
import { SpawnedProgram } from "./spawned-program.ts";

export interface ConnectAsOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
}

/** Connects, hands the connection over and ends. Of Node alone: it runs as another user, who may not be able to read our files. */
const SCRIPT = `
const socket = require("node:net").connect(process.argv[1]);
const say = (message, handle) => process.send(message, handle, () => process.disconnect());
socket.once("connect", () => say({}, socket));
socket.once("error", ({ code, message }) => say({ code, message }));
`;

/**
 * Connects to a unix socket as another user, where this is root: whoever listens learns of the user that connects, and may let
 * in that one only. Undefined where that user cannot run Node. Rejects with the error of the connection, the signal's reason,
 * or when it takes too long.
 */
export async function connectAs(
  owner: ProgramOwner,
  path: string,
  { signal, timeoutMs }: ConnectAsOptions,
): Promise<Socket | undefined> {
  signal?.throwIfAborted();
  const program = new SpawnedProgram(process.execPath, ["-e", SCRIPT, "--", path], {
    env: {},
    owner,
    signal,
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    received: undefined,
  });
  const stop = new AbortController();
  try {
    const answer = once(program.child, "message", { signal: stop.signal }) as Promise<[Answer, Socket | undefined]>;
    // The other ones are left behind when one of them is there.
    for (const other of [answer, program.ended]) other.catch(() => undefined);
    const late = delay(timeoutMs, "late" as const, { signal: stop.signal });
    late.catch(() => undefined);
    const first = await Promise.race([
      answer,
      program.ended.then(
        () => undefined,
        () => undefined,
      ),
      late,
    ]);
    signal?.throwIfAborted();
    if (first === "late") throw failure({ code: "ETIMEDOUT", message: "nobody answers" }, path);
    if (first === undefined) return undefined;
    const [{ code, message }, socket] = first;
    if (code !== undefined) throw failure({ code, message }, path);
    return socket;
  } finally {
    stop.abort();
    program.stop();
  }
}

interface Answer {
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/** As Node's own failures of a connection are. */
function failure({ code, message }: Answer, address: string): Error {
  return Object.assign(new Error(message), { code, address, syscall: "connect" });
}
