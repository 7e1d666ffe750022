import { formatInstant, parseInstant } from "@soar/app-kit";
import { beginChoice, pressKey, stepName, usableBackups, type InstantChoice } from "./instant-choice.ts";
import { BACK, draw } from "./screens.ts";
import type { Terminal } from "./terminal.ts";
import type { Stretch } from "./window-rows.ts";
import { formatInZone } from "./zoned-time.ts";

type Range = Extract<Stretch, { kind: "range" }>;

export interface ChosenInstant {
  readonly micros: bigint;
  readonly inclusive: boolean;
  /** Set when another backup than the newest usable one was chosen. */
  readonly backup: string | undefined;
}

/** Lets an instant of a stretch be moved to by keys, or typed. */
export async function chooseInstant(
  terminal: Terminal,
  range: Range,
  zone: string,
): Promise<ChosenInstant | typeof BACK> {
  let choice = beginChoice(range);
  while (!choice.isDone) {
    draw(terminal, viewOf(choice, range, { zone, columns: terminal.columns }));
    const key = await terminal.nextKey();
    if (key.name === "escape" && choice.typed === undefined) return BACK;
    choice =
      key.name === "escape"
        ? { ...choice, typed: undefined, problem: undefined }
        : pressKey(choice, key, range, (text) => parseInstant(text, { zone }));
  }
  const { micros, inclusive, older } = choice;
  return { micros, inclusive, backup: older === 0 ? undefined : usableBackups(range, choice)[older]?.label };
}

interface ViewOptions {
  readonly zone: string;
  readonly columns: number;
}

function viewOf(choice: InstantChoice, range: Range, { zone, columns }: ViewOptions): string[] {
  const ms = Number(choice.micros / 1000n);
  const backup = usableBackups(range, choice)[choice.older]?.label ?? "none";
  return [
    "Restore to which instant?",
    "",
    `from ${formatInZone(range.fromMs, zone)} to ${formatInZone(range.toMs, zone)} (${zone})`,
    "",
    choice.typed === undefined ? `> ${formatInZone(ms, zone)}` : `> ${choice.typed}_`,
    `  in UTC: ${choice.typed === undefined ? formatInstant(choice.micros) : "press Enter to take the time that is typed"}`,
    "",
    positionBar(ms, range, columns - 4),
    "",
    `  base backup: ${backup}${choice.older === 0 ? ", the newest before it" : ""}`,
    `  a commit at exactly this instant is ${choice.inclusive ? "replayed" : "left out"}`,
    "",
    choice.problem ?? "",
    "",
    `left/right: one ${stepName(choice)}   up/down: larger or smaller steps   Home/End: limits`,
    "digits: type a time, also with an offset   b: another base backup",
    "x: replay a commit at this instant or leave it out",
    "Enter: next   Esc: back   Ctrl-C: stop, nothing is changed",
  ];
}

function positionBar(ms: number, { fromMs, toMs }: Range, width: number): string {
  const cells = width - 2;
  const at = toMs === fromMs ? 0 : Math.round(((ms - fromMs) / (toMs - fromMs)) * (cells - 1));
  return `[${"=".repeat(at)}|${"=".repeat(cells - 1 - at)}]`;
}
