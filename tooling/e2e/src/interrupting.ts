import { readdirSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { ProgramResult, StartedProgram } from "@soar-tooling/test-bench";
import { expect } from "vitest";
import type { Binary, SoarWorld } from "./soar-world.ts";

/** More than any program takes to give up what it has begun. */
const SOON_MS = 40_000;

export interface Round {
  readonly round: number;
  readonly random: () => number;
}

/** So many rounds as `SOAR_SIGNAL_ROUNDS` says; `SOAR_SIGNAL_SEED` repeats a run as far as a clock can be repeated. */
export function signalRounds(ordinarily: number): readonly Round[] {
  const length = Number(process.env["SOAR_SIGNAL_ROUNDS"] ?? ordinarily);
  const seed = Number(process.env["SOAR_SIGNAL_SEED"] ?? 1);
  return Array.from({ length }, (_, round) => ({ round, random: randomFrom(seed * 1_000 + round) }));
}

/** mulberry32: the same numbers for the same seed, everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Interrupted extends ProgramResult {
  readonly told: string;
}

type InWorld = Pick<SoarWorld, "run" | "start"> & { readonly settings: Readonly<Record<string, string>> };

/** Runs to the end, which has to be a success; resolves to how long it took, in milliseconds. */
export async function finishesIn(world: InWorld, binary: Binary, args: readonly string[], told = ""): Promise<number> {
  const startedAt = performance.now();
  const { status, stderr } = await world.run(binary, args, { settings: world.settings });
  expect(status, `${told}\n${binary} ${args.join(" ")}: ${stderr}`).toBe(0);
  return performance.now() - startedAt;
}

export async function endOf(program: StartedProgram, told: string): Promise<ProgramResult> {
  const limit = new AbortController();
  const late = delay(SOON_MS, "late" as const, { signal: limit.signal }).catch(() => "late" as const);
  const end = await Promise.race([program.result, late]);
  limit.abort();
  if (end === "late") program.kill("SIGKILL");
  expect(end, `${told}: it does not end\n${program.printed()}`).not.toBe("late");
  return await program.result;
}

/** Starts a program, signals it in the first or the last second of the time that it takes, and waits for its end. */
export async function interruptIn(
  world: InWorld,
  random: () => number,
  binary: Binary,
  { args, tookMs }: { readonly args: readonly string[]; readonly tookMs: number },
): Promise<Interrupted> {
  const signal = random() < 0.5 ? "SIGTERM" : "SIGKILL";
  const afterMs = Math.round((random() < 0.5 ? 0 : Math.max(0, tookMs - 1_000)) + random() * 1_000);
  const told = `${binary} ${args[0] ?? ""}, ${signal} after ${afterMs} ms of ${Math.round(tookMs)}`;
  const program = world.start(binary, args, { settings: world.settings });
  await Promise.race([delay(afterMs), program.result]);
  program.kill(signal);
  const end = await endOf(program, told);
  // Neither a success that was none, nor a status that PostgreSQL takes for a signal.
  if (end.signal === null) expect(end.status, `${told}\n${end.stderr}`).toBeLessThanOrEqual(125);
  else expect(["SIGTERM", "SIGKILL"], told).toContain(end.signal);
  expect(end.stderr, told).not.toContain("This is a bug");
  return { ...end, told };
}

/** Processes that work in a directory or below it. */
export function processesBelow(directory: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${directory}/`);
      } catch {
        // It has ended meanwhile.
        return false;
      }
    });
}
