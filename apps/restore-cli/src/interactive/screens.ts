import { visibleLine } from "@soar/app-kit";
import type { Terminal } from "./terminal.ts";

/** Returned instead of an answer when the operator goes one screen back. */
export const BACK = Symbol("back");

/** A line of a list: one that can be chosen, or one that stands between them. */
export type ListRow<T> =
  | { readonly text: string; readonly value: T }
  | { readonly text: string; readonly value?: undefined };

export interface ListScreen<T> {
  readonly title: string;
  readonly notes?: readonly string[];
  /** At least one of them can be chosen. */
  readonly rows: readonly ListRow<T>[];
}

const LIST_KEYS = "up/down: choose   Enter: next   Esc: back   Ctrl-C: stop, nothing is changed";

/** Lets one row be chosen. Lists that are longer than the terminal scroll. */
export async function chooseFromList<T>(
  terminal: Terminal,
  { title, notes = [], rows }: ListScreen<T>,
): Promise<T | typeof BACK> {
  const places = rows.flatMap(({ value }, index) => (value === undefined ? [] : [index]));
  let at = 0;
  for (;;) {
    const chosen = places[at] ?? 0;
    const head = [title, "", ...notes, ...(notes.length === 0 ? [] : [""])];
    const room = Math.max(3, terminal.rows - head.length - 3);
    const from = Math.max(0, Math.min(chosen - Math.floor(room / 2), rows.length - room));
    const shown = rows
      .slice(from, from + room)
      .map(({ text }, index) => `${from + index === chosen ? ">" : " "} ${text}`);
    const more = rows.length - from - shown.length;
    draw(terminal, [...head, ...shown, more > 0 ? `  (${more} more below)` : "", LIST_KEYS]);
    const { name } = await terminal.nextKey();
    const value = rows[chosen]?.value;
    if (name === "enter" && value !== undefined) return value;
    if (name === "escape") return BACK;
    at = moved(name, at, { count: places.length, page: room });
  }
}

function moved(key: string, at: number, { count, page }: { readonly count: number; readonly page: number }): number {
  const steps: Readonly<Record<string, number>> = {
    up: -1,
    down: 1,
    pageup: -page,
    pagedown: page,
    home: -count,
    end: count,
  };
  return Math.max(0, Math.min(count - 1, at + (steps[key] ?? 0)));
}

export interface FieldScreen {
  readonly title: string;
  readonly notes?: readonly string[];
  readonly label: string;
  readonly initial?: string;
  /** What is wrong with the text; undefined when nothing is. */
  check(text: string): string | undefined;
}

/** Lets a line be typed. */
export async function askForText(
  terminal: Terminal,
  { title, notes = [], label, initial = "", check }: FieldScreen,
): Promise<string | typeof BACK> {
  let text = initial;
  let problem: string | undefined;
  for (;;) {
    draw(terminal, [
      title,
      "",
      ...notes,
      ...(notes.length === 0 ? [] : [""]),
      `${label}: ${text}_`,
      "",
      problem ?? "",
      "",
      "Enter: next   Esc: back   Ctrl-C: stop, nothing is changed",
    ]);
    const key = await terminal.nextKey();
    if (key.name === "escape") return BACK;
    if (key.name === "enter") {
      problem = check(text.trim());
      if (problem === undefined) return text.trim();
    }
    if (key.name === "text") text += key.text;
    if (key.name === "backspace") text = lettersOf(text).slice(0, -1).join("");
  }
}

/**
 * Draws lines, none wider than the terminal: one that wraps would push the first ones out of sight. Control characters in them are
 * shown, not obeyed: names and reasons come from the bucket.
 */
export function draw(terminal: Terminal, lines: readonly string[]): void {
  terminal.show(lines.slice(0, terminal.rows).map((line) => cut(` ${visibleLine(line)}`, terminal.columns)));
}

function cut(line: string, columns: number): string {
  const characters = lettersOf(line.trimEnd());
  return characters.length <= columns ? characters.join("") : `${characters.slice(0, columns - 3).join("")}...`;
}

/** What a person takes for one character. */
function lettersOf(text: string): string[] {
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
}
