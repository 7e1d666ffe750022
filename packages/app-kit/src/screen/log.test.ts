import { expect, test } from "vitest";
import { createLog, type LogFormat, type LogLevel } from "./log.ts";

function logged(format: LogFormat, level: LogLevel, message: string): string[] {
  const lines: string[] = [];
  const log = createLog({
    component: "wal-archiver",
    level: "info",
    format,
    sinks: [(line) => lines.push(line)],
    now: () => new Date("2026-01-10T02:00:00.123Z"),
  });
  log[level](message);
  return lines;
}

test("a text line is time, level, component, message", () => {
  expect(logged("text", "info", "archived 00000001000000A900000065 (16 MiB, 0.41 s)")).toEqual([
    "2026-01-10T02:00:00.123Z info  wal-archiver archived 00000001000000A900000065 (16 MiB, 0.41 s)",
  ]);
  expect(logged("text", "error", "x")).toEqual(["2026-01-10T02:00:00.123Z error wal-archiver x"]);
});

test("a JSON line has the same fields", () => {
  expect(JSON.parse(logged("json", "warn", 'a "b"\n')[0] ?? "")).toEqual({
    time: "2026-01-10T02:00:00.123Z",
    level: "warn",
    component: "wal-archiver",
    message: 'a "b"\n',
  });
});

test("lines below the level are dropped", () => {
  expect(logged("text", "debug", "x")).toEqual([]);
});

test("a message cannot begin a line of its own or move the cursor", () => {
  expect(logged("text", "info", "file 'a\n2026-01-10 error \u001b[2Kb\u009b'")).toEqual([
    "2026-01-10T02:00:00.123Z info  wal-archiver file 'a\\n2026-01-10 error \\x1b[2Kb\\x9b'",
  ]);
});

test("a JSON line has nothing in it that is obeyed", () => {
  const [line = ""] = logged("json", "info", "a\u009b2Kb\u202e\u2028");
  expect(line).toContain(String.raw`"a\u009b2Kb\u202e\u2028"`);
  expect(JSON.parse(line)).toMatchObject({ message: "a\u009b2Kb\u202e\u2028" });
});

test("secrets are removed", () => {
  expect(logged("text", "info", "key AKIAIOSFODNN7EXAMPLE")[0]).toContain("key [hidden]");
  expect(logged("json", "info", "key AKIAIOSFODNN7EXAMPLE")[0]).toContain("key [hidden]");
});
