import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Impediment } from "./impairment.ts";

export interface RelayOptions {
  readonly from: Socket;
  readonly to: Socket;
  readonly connection: number;
  /** The rule of the moment. */
  readonly find: () => Impediment | undefined;
  readonly onBytes: (count: number) => void;
  /** Ends both sides of the connection. */
  readonly cut: (manner: "reset" | "end") => void;
}

/** One direction of a connection. */
export interface Relay {
  /** Resolves when the sender has ended and everything was passed on; rejects when a socket fails. */
  readonly done: Promise<void>;
  /** Looks at the rules again: a cut that is already due does not wait for another byte. */
  recheck(): void;
}

type Counters = Map<Impediment, number>;

/** Carries bytes one way until the sender ends, obeying the rules. */
export function startRelay(options: RelayOptions): Relay {
  const counters: Counters = new Map();
  return { done: carryAll(options, counters), recheck: () => void cutWhenDue(options, counters) };
}

async function carryAll(options: RelayOptions, counters: Counters): Promise<void> {
  cutWhenDue(options, counters);
  for await (const chunk of options.from as AsyncIterable<Buffer>) {
    if (cutWhenDue(options, counters)) return;
    for await (const piece of impede(chunk, options, counters)) await write(piece, options);
  }
  options.to.end();
}

/** True when the connection has been cut: nothing of it may pass any more. */
function cutWhenDue({ find, connection, cut }: RelayOptions, counters: Counters): boolean {
  const impediment = find();
  if (impediment === undefined) return false;
  const { impairment } = impediment;
  if (impairment.type !== "cut" && impairment.type !== "end") return false;
  if ((counters.get(impediment) ?? 0) < impairment.afterBytes) return false;
  impediment.hit(connection);
  cut(impairment.type === "cut" ? "reset" : "end");
  return true;
}

/** The pieces of a chunk that may pass, when they may. Looks for rules again after each piece. */
async function* impede(chunk: Buffer, options: RelayOptions, counters: Counters): AsyncIterable<Buffer> {
  let rest = chunk;
  while (rest.length > 0 && !options.to.destroyed) {
    const impediment = options.find();
    if (impediment === undefined) {
      yield rest;
      return;
    }
    const seen = counters.get(impediment) ?? 0;
    const piece = await nextPiece(rest, seen, impediment, options.connection);
    counters.set(impediment, seen + piece.length);
    rest = rest.subarray(piece.length);
    if (piece.length > 0) yield piece;
    if (cutWhenDue(options, counters)) return;
  }
}

/** What of `rest` passes next; empty when nothing passes under this rule any more. */
async function nextPiece(rest: Buffer, seen: number, impediment: Impediment, connection: number): Promise<Buffer> {
  const { impairment, removed, hit } = impediment;
  switch (impairment.type) {
    case "cut":
    case "end":
      return rest.subarray(0, impairment.afterBytes - seen);
    case "stall": {
      const piece = rest.subarray(0, Math.max(impairment.afterBytes - seen, 0));
      if (piece.length > 0) return piece;
      hit(connection);
      await removed;
      return piece;
    }
    case "slow": {
      hit(connection);
      const piece = rest.subarray(0, Math.max(1, Math.ceil(impairment.bytesPerSecond / 20)));
      await Promise.race([delay((piece.length / impairment.bytesPerSecond) * 1000), removed]);
      return piece;
    }
    case "delay":
      hit(connection);
      await Promise.race([delay(impairment.ms), removed]);
      return rest;
    case "corrupt":
      return corrupt(rest, impairment.atByte - seen, () => hit(connection));
    case "refuse":
      return rest;
  }
}

function corrupt(bytes: Buffer, index: number, onHit: () => void): Buffer {
  if (index < 0 || index >= bytes.length) return bytes;
  const copy = Buffer.from(bytes);
  copy[index] = (copy[index] ?? 0) ^ 1;
  onHit();
  return copy;
}

async function write(piece: Buffer, { to, onBytes }: RelayOptions): Promise<void> {
  onBytes(piece.length);
  if (to.write(piece) || to.destroyed) return;
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      to.off("drain", settle).off("close", settle);
      resolve();
    };
    to.on("drain", settle).on("close", settle);
  });
}
