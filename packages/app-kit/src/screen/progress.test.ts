import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { captureTerminal, type CapturedTerminal } from "../../test/captured-terminal.ts";
import { createLog } from "./log.ts";
import { formatBar, formatProgressLine, startProgress } from "./progress.ts";
import { createScreen } from "./screen.ts";

const MIB = 2 ** 20;

describe("over time", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function begin(
    isTTY: boolean,
    label = "backup",
  ): {
    terminal: CapturedTerminal;
    lines: string[];
    progress: ReturnType<typeof startProgress>;
  } {
    const terminal = captureTerminal({ isTTY });
    const lines: string[] = [];
    const log = createLog({
      component: "x",
      level: "info",
      format: "text",
      sinks: [(line) => lines.push(line.slice(31))],
    });
    return {
      terminal,
      lines,
      progress: startProgress({ label, unit: "bytes", total: 1000 * MIB }, { screen: createScreen(terminal), log }),
    };
  }

  test("without a terminal a line every 30 s, with the rate of the last seconds", () => {
    const { lines, progress, terminal } = begin(false);
    progress.update(300 * MIB);
    vi.advanceTimersByTime(30_000);
    progress.update(330 * MIB);
    vi.advanceTimersByTime(30_000);
    vi.advanceTimersByTime(30_000);
    expect(lines).toEqual([
      "x backup: 30 % (300 MiB of 0.98 GiB), 10 MiB/s, 1 min 10 s left",
      "x backup: 33 % (330 MiB of 0.98 GiB), 1 MiB/s, 11 min 10 s left",
      "x backup: 33 % (330 MiB of 0.98 GiB), 0 B/s, stalled",
    ]);
    progress.finish();
    vi.advanceTimersByTime(300_000);
    expect(lines).toHaveLength(3);
    expect(terminal.written()).toBe("");
  });

  test("where the work stands is in every line, and one that comes every second makes no more of them", () => {
    const { lines, progress } = begin(false);
    for (let second = 0; second < 60; second += 1) {
      progress.update((100 + second) * MIB, 1000 * MIB, `at ${second}`);
      vi.advanceTimersByTime(1000);
    }
    expect(lines).toEqual([
      "x backup: 12 % (129 MiB of 0.98 GiB), 4.3 MiB/s, 3 min 23 s left, at 29",
      "x backup: 15 % (159 MiB of 0.98 GiB), 1 MiB/s, 14 min 01 s left, at 59",
    ]);
    progress.finish();
  });

  test("on a terminal a bar, gone at the end", () => {
    const { terminal, lines, progress } = begin(true);
    progress.update(500 * MIB);
    vi.advanceTimersByTime(1000);
    progress.finish();
    progress.finish();
    const drawn = terminal.written().split("\r\u001b[2K");
    expect(drawn.at(-2)).toBe("backup [######------]  50 %  500 MiB  500 MiB/s  1 s left");
    expect(drawn.at(-1)).toBe("");
    expect(lines).toEqual([]);
  });

  test("what is counted and where it stands are shown, not obeyed", () => {
    const { terminal, progress } = begin(true, "'a\u001b'");
    progress.update(500 * MIB, undefined, "at b\u009b");
    vi.advanceTimersByTime(1000);
    progress.finish();
    const drawn = terminal.written().split("\r\u001b[2K").at(-2);
    expect(drawn).toContain(String.raw`'a\x1b' `);
    expect(drawn).toContain(String.raw`at b\x9b`);
  });
});

test("a bar of 80 columns has room for where replay stands", () => {
  const snapshot = {
    label: "replay",
    unit: "items",
    done: 1234,
    total: 5678,
    perSecond: 5,
    place: "at 12A/5000000, 2025-01-10 13:30:00Z",
  } as const;
  expect(formatBar(snapshot, 80)).toBe(
    "replay  21 %  1234  5/s  14 min 49 s left  at 12A/5000000, 2025-01-10 13:30:00Z",
  );
});

test("without a total there is no share and no time left", () => {
  const snapshot = { label: "backup", unit: "items", done: 12, total: undefined, perSecond: 3.14 } as const;
  expect(formatProgressLine(snapshot)).toBe("backup: 12, 3.1/s");
  expect(formatBar(snapshot, 80)).toBe("backup  12  3.1/s");
});

test("100 % is shown only when everything is done, and a bar is never wider than the terminal", () => {
  const snapshot = { label: "backup", unit: "bytes", done: 999_999, total: 1_000_000, perSecond: 1 } as const;
  expect(formatProgressLine(snapshot)).toContain(" 99 %");
  expect(formatProgressLine({ ...snapshot, done: 1_000_000 })).toContain(" 100 %");
  for (let width = 10; width < 200; width += 1) expect(formatBar(snapshot, width).length).toBeLessThan(width);
});
