import { findBackupRecord } from "@soar/repository";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readStamps } from "@soar/repository/expiry";
import { openStore, type ObjectStore } from "@soar/storage";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { BackupEvent } from "../src/index.ts";
import { createBackupWorld, openTestStore, type BackupWorld } from "./backup-world.ts";

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
    label: `2024-02-0${Math.abs(days) % 7}`,
    now: () => new Date(Date.now() + days * DAY_MS),
    onEvent: (event: BackupEvent) => void (event.type === "clock-doubt" && told.push(event.doubt)),
  });
  expect(record.clockDoubts).toEqual([
    expect.stringMatching(`^the server's clock was ${Math.abs(days)} days ${others} this machine's`),
    expect.stringMatching(`^the store's clock was ${Math.abs(days)} days ${others} this machine's`),
  ]);
  expect(told).toEqual(record.clockDoubts);
});

function deliverTo(store: ObjectStore): void {
  world.courier.deliverTo(store);
  onTestFinished(() => world.courier.deliverTo(world.store));
}

/** A label of the day on which something happened, which may have been midnight. */
const labelsBetween = (begun: Date): RegExp =>
  new RegExp(`^(?:${[begun, new Date()].map((at) => at.toISOString().slice(0, 10)).join("|")})`);

test.each([
  ["400 days ahead", 400],
  ["400 days behind", -400],
] as const)("a backup by a clock that is %s is named and dated by the clocks that are right", async (_what, days) => {
  const store = openTestStore(world.s3, `named-${days}`);
  onTestFinished(() => store.close());
  deliverTo(store);
  const begun = new Date();
  const told: string[] = [];
  const record = await world.take(
    {
      now: () => new Date(Date.now() + days * DAY_MS),
      onEvent: (event) => void (event.type === "clock-settled" && told.push(event.goesBy)),
    },
    store,
  );
  expect(record.label).toMatch(labelsBetween(begun));
  expect(told).toEqual(["the server's clock"]);
  expect(record.datedBy).toBe("the server's clock");
  for (const at of [record.startedAt, record.stoppedAt]) {
    expect(Date.parse(at)).toBeGreaterThan(begun.getTime() - 60_000);
    expect(Date.parse(at)).toBeLessThan(Date.now() + 60_000);
  }
  expect(record.durationMs).toBeLessThanOrEqual(Date.now() - begun.getTime());
});

test.each([
  ["400 days ahead", 400],
  ["400 days behind", -400],
] as const)("in a directory, too: %s", async (_what, days) => {
  const directory = mkdtempSync(join(tmpdir(), "soar-clocks-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const store = openStore({ url: `file://${directory}` });
  deliverTo(store);
  const begun = new Date();
  const record = await world.take({ now: () => new Date(Date.now() + days * DAY_MS) }, store);
  expect(record.datedBy).toBe("the server's clock");
  expect(record.label).toMatch(labelsBetween(begun));
  const next = await world.take(
    { now: () => new Date(Date.now() + days * DAY_MS), stamps: await readStamps(store) },
    store,
  );
  // In the order in which they were taken.
  expect(next.label > record.label).toBe(true);
  expect(next.label).toMatch(labelsBetween(begun));
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
