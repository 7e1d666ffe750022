import { expect, test } from "vitest";
import { askForText, BACK, chooseFromList, draw } from "./screens.ts";
import type { Key, Terminal } from "./terminal.ts";

/** A terminal at which these keys are pressed. */
function terminalOf(columns: number, keys: readonly Key["name"][] = []): Terminal & { readonly shown: string[] } {
  const left = [...keys];
  const shown: string[] = [];
  return {
    columns,
    rows: 24,
    shown,
    show: (lines) => void shown.push(...lines),
    nextKey: () => Promise.resolve({ name: left.shift() ?? "escape", text: "" }),
    [Symbol.dispose]: () => undefined,
  };
}

/** As a database, or whoever declared a gap, may be called in a bucket that somebody else can write to. */
const HOSTILE = "dba\u001b]0;owned\u0007\r\nerror: \u009b2J\u202e";
const SHOWN = String.raw`dba\x1b]0;owned\x07\x0d\nerror: \x9b2J\u{202e}`;

test("words from the bucket are shown on every screen, not obeyed", async () => {
  const terminal = terminalOf(200);
  draw(terminal, [HOSTILE]);
  expect(terminal.shown).toEqual([` ${SHOWN}`]);
  const rows = [{ text: HOSTILE, value: 1 }];
  expect(await chooseFromList(terminal, { title: HOSTILE, notes: [HOSTILE], rows })).toBe(BACK);
  const field = { title: HOSTILE, notes: [HOSTILE], label: "name", initial: HOSTILE, check: () => HOSTILE };
  expect(await askForText(terminalOf(200, ["enter"]), field)).toBe(BACK);
  expect(await askForText(terminal, field)).toBe(BACK);
  expect(terminal.shown.filter((line) => line.includes(SHOWN))).toHaveLength(7);
  // oxlint-disable-next-line no-control-regex -- that none is left
  expect(terminal.shown.join("")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
});

test("a line is cut by what is shown of it", () => {
  const terminal = terminalOf(12);
  draw(terminal, ["\u001b\u001b\u001b\u001b"]);
  expect(terminal.shown).toEqual([String.raw` \x1b\x1b...`]);
});
