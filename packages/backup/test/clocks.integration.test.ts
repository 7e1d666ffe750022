import { findBackupRecord } from "@soar/repository";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BackupEvent } from "../src/index.ts";
import { createBackupWorld, type BackupWorld } from "./backup-world.ts";

// What a machine whose clock is wrong, or is set in the middle of a run, writes down of a backup.

const DAY_MS = 86_400_000;
let world: BackupWorld;
beforeAll(async () => void (world = await createBackupWorld({ installation: requireInstallation() })));
afterAll(() => world[Symbol.asyncDispose]());

test("a backup by a right clock has no doubts", async () => {
  const record = await world.take();
  expect(record.clockDoubts).toBeUndefined();
});

test.each([
  ["400 days ahead", 400, "behind"],
  ["3 days behind", -3, "ahead of"],
] as const)("a clock that is %s is told, by the run and by the record", async (_what, days, others) => {
  const told: string[] = [];
  const record = await world.take({
    now: () => new Date(Date.now() + days * DAY_MS),
    onEvent: (event: BackupEvent) => void (event.type === "clock-doubt" && told.push(event.doubt)),
  });
  expect(record.clockDoubts).toEqual([
    expect.stringMatching(`^the server's clock was ${Math.abs(days)} days ${others} this machine's`),
    expect.stringMatching(`^the store's clock was ${Math.abs(days)} days ${others} this machine's`),
  ]);
  expect(told).toEqual(record.clockDoubts);
});

test.each([
  ["ahead", 400, /set 400 days ahead, or the machine slept/],
  ["back", -400, /set 400 days back/],
] as const)(
  "a clock that is set %s in the middle of a run changes nothing that is recorded, and is told",
  async (_what, days, doubt) => {
    const label = `2024-01-${days > 0 ? "01" : "02"}`;
    let offset = 0;
    const begun = Date.now();
    await world.take({
      label,
      now: () => new Date(Date.now() + offset),
      onEvent: (event) => void (event.type === "reading-back" && (offset = days * DAY_MS)),
    });
    // As whoever comes after reads it.
    const record = await findBackupRecord(world.store, label);
    expect(record?.clockDoubts).toEqual([expect.stringMatching(doubt)]);
    const [startedAt, stoppedAt] = [Date.parse(record?.startedAt ?? ""), Date.parse(record?.stoppedAt ?? "")];
    expect(startedAt).toBeGreaterThanOrEqual(begun);
    expect(stoppedAt).toBeGreaterThanOrEqual(startedAt);
    expect(stoppedAt).toBeLessThanOrEqual(Date.now());
    expect(record?.durationMs).toBeLessThanOrEqual(Date.now() - begun);
  },
);
