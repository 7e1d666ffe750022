import type { Log } from "@soar/app-kit";
import type { RestoreEvent } from "@soar/restore";
import { expect, test } from "vitest";
import { restoreDisplay } from "./restore-events.ts";

test("however often recovery says where it is, only the progress is told; lines are for what happens once", () => {
  const lines: string[] = [];
  const counts: unknown[] = [];
  const tell = (text: string): void => void lines.push(text);
  const log: Log = { debug: () => undefined, info: tell, warn: tell, error: tell };
  const { show, finish } = restoreDisplay({
    log,
    begin: (label) => ({
      update: (...count) => void counts.push([label, ...count]),
      finish: () => void counts.push([label, "over"]),
    }),
  });
  const at = (segments: number): RestoreEvent => ({
    type: "replayed",
    lsn: BigInt(segments) << 24n,
    time: segments === 1 ? undefined : 1_736_515_800_123_456n,
    segments,
    total: 3,
  });
  for (const event of [
    { type: "phase", phase: "recover" },
    at(1),
    at(2),
    at(3),
    { type: "redo-done", lsn: 0x3f00_0028n },
    { type: "phase", phase: "finish" },
  ] as const)
    show(event);
  finish();
  expect(lines).toEqual([
    "backup fetched; replaying WAL",
    "WAL replayed; the last record is at 0/3F000028",
    "recovery is over and proved; starting the server with its own settings",
  ]);
  expect(counts).toEqual([
    ["replay", 1, 3, "at 0/1000000"],
    ["replay", 2, 3, "at 0/2000000, 2025-01-10 13:30:00Z"],
    ["replay", 3, 3, "at 0/3000000, 2025-01-10 13:30:00Z"],
    ["replay", "over"],
  ]);
});
