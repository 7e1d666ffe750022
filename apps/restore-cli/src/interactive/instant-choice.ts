import { messageOf } from "@soar/errors";
import type { Key } from "./terminal.ts";
import type { Stretch, UsableBackup } from "./window-rows.ts";

type Range = Extract<Stretch, { kind: "range" }>;

const STEPS = [
  { name: "second", ms: 1000 },
  { name: "minute", ms: 60_000 },
  { name: "hour", ms: 3_600_000 },
  { name: "day", ms: 86_400_000 },
] as const;

/** What is chosen so far on the screen of the instant. */
export interface InstantChoice {
  readonly micros: bigint;
  /** Index in `STEPS`. */
  readonly step: number;
  /** What is being typed; undefined while keys move the instant. */
  readonly typed: string | undefined;
  readonly problem: string | undefined;
  /** Whether a commit at exactly this instant is replayed. */
  readonly inclusive: boolean;
  /** How many backups older than the newest usable one recovery begins with. */
  readonly older: number;
  readonly isDone: boolean;
}

export function beginChoice({ startMs }: Range): InstantChoice {
  return {
    micros: BigInt(startMs) * 1000n,
    step: 1,
    typed: undefined,
    problem: undefined,
    inclusive: true,
    older: 0,
    isDone: false,
  };
}

export function stepName({ step }: InstantChoice): string {
  return STEPS[step]?.name ?? "";
}

/** Backups that recovery to the instant can begin with, newest first. */
export function usableBackups({ backups }: Range, { micros }: InstantChoice): UsableBackup[] {
  return backups.filter(({ usableFromMs }) => BigInt(usableFromMs) * 1000n <= micros).toReversed();
}

/** The choice after a key. `parse` reads a time and throws what is wrong with it. */
export function pressKey(
  choice: InstantChoice,
  key: Key,
  range: Range,
  parse: (text: string) => bigint,
): InstantChoice {
  const quiet = { ...choice, problem: undefined };
  if (choice.typed !== undefined) return typing({ ...quiet, typed: choice.typed }, key, { range, parse });
  if (key.name === "enter") return { ...quiet, isDone: true };
  if (key.name === "text") return pressLetter(quiet, key.text, range);
  const step = STEPS[choice.step]?.ms ?? 0;
  const moves: Partial<Record<Key["name"], number>> = { left: -step, right: step, home: -Infinity, end: Infinity };
  const move = moves[key.name];
  if (move !== undefined) return within(quiet, Number(choice.micros / 1000n) + move, range);
  const change = key.name === "up" ? 1 : key.name === "down" ? -1 : 0;
  return { ...quiet, step: Math.max(0, Math.min(STEPS.length - 1, choice.step + change)) };
}

function pressLetter(choice: InstantChoice, text: string, range: Range): InstantChoice {
  if (/^\d$/.test(text)) return { ...choice, typed: text };
  if (text === "x") return { ...choice, inclusive: !choice.inclusive };
  if (text === "b") return { ...choice, older: (choice.older + 1) % Math.max(1, usableBackups(range, choice).length) };
  return choice;
}

function typing(
  choice: InstantChoice & { readonly typed: string },
  key: Key,
  { range, parse }: { readonly range: Range; readonly parse: (text: string) => bigint },
): InstantChoice {
  const { typed } = choice;
  if (key.name === "text") return { ...choice, typed: typed + key.text };
  if (key.name === "backspace") return { ...choice, typed: typed.length > 1 ? typed.slice(0, -1) : undefined };
  if (key.name !== "enter") return choice;
  try {
    const micros = parse(typed);
    if (micros < BigInt(range.fromMs) * 1000n || micros > BigInt(range.toMs) * 1000n + 999_999n)
      return { ...choice, problem: "That instant lies outside of this stretch: go back for another one." };
    return { ...choice, micros, typed: undefined, older: 0 };
  } catch (error) {
    return { ...choice, problem: messageOf(error) };
  }
}

/** Moving never leaves what can be restored. */
function within(choice: InstantChoice, ms: number, { fromMs, toMs }: Range): InstantChoice {
  return { ...choice, micros: BigInt(Math.max(fromMs, Math.min(toMs, ms))) * 1000n, older: 0 };
}
