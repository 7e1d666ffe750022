import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type ObjectStore } from "@soar/storage";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LineageTable } from "../lineage-table.ts";
import { restoreCommand } from "../restore-command.ts";
import { openSpool, type Spool, type SpoolEvent, type SpoolOptions } from "./open-spool.ts";
import { archiveSegments, segmentBytes, segmentName } from "../../../test/spool.fixture.ts";

let dataDir = "";
let bucket = "";
let store: ObjectStore;
let events: SpoolEvent[] = [];
let opened: Spool[] = [];

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), "soar-spool-"));
  [dataDir, bucket] = [join(root, "data"), join(root, "bucket")];
  for (const directory of [bucket, join(dataDir, "pg_wal"), join(dataDir, "soar-restore")])
    mkdirSync(directory, { recursive: true });
  store = openStore({ url: `file://${bucket}` });
  [events, opened] = [[], []];
});

afterEach(async () => {
  for (const spool of opened) await spool.close();
  rmSync(join(dataDir, ".."), { recursive: true });
});

async function open(table: LineageTable, options: Partial<SpoolOptions> = {}): Promise<Spool> {
  const names = table.segments.map(({ name }) => name);
  const spool = await openSpool(store, table, {
    dataDir,
    jobs: 2,
    names,
    readTwice: [],
    onEvent: (event) => events.push(event),
    ...options,
  });
  opened.push(spool);
  return spool;
}

/** What PostgreSQL does with the setting, in the data directory. */
function take(name: string, spool: Spool, program: readonly string[] = ["false"]): number | null {
  const line = restoreCommand(program, spool).replaceAll(/%(.)/g, (_, letter: string) =>
    letter === "f" ? name : letter === "p" ? "pg_wal/RECOVERYXLOG" : letter,
  );
  return spawnSync("/bin/sh", ["-c", line], { cwd: dataDir, stdio: "ignore" }).status;
}

const delivered = (): Buffer => readFileSync(join(dataDir, "pg_wal", "RECOVERYXLOG"));
const isReady = (spool: Spool, index: number): boolean => existsSync(join(spool.directory, segmentName(index)));
const waitFor = (condition: () => boolean) => expect.poll(condition, { timeout: 20_000, interval: 10 }).toBe(true);

test("every planned segment can be taken without the program, in order, and none before it was checked", async () => {
  const spool = await open(await archiveSegments(store, 5, 6));
  for (let index = 5; index < 11; index += 1) {
    await waitFor(() => isReady(spool, index));
    expect(take(segmentName(index), spool)).toBe(0);
    expect(delivered().equals(segmentBytes(index))).toBe(true);
  }
  expect(events.filter(({ type }) => type !== "segment-ready")).toEqual([]);
});

test("segments that are read twice are fetched again: the checkpoint's, which comes before the first one, and the last", async () => {
  const spool = await open(await archiveSegments(store, 5, 3), { readTwice: [segmentName(6), segmentName(7)] });
  await waitFor(() => [5, 6, 7].every((index) => isReady(spool, index)));
  for (const index of [6, 5, 6, 7, 7]) {
    await waitFor(() => isReady(spool, index));
    expect(take(segmentName(index), spool)).toBe(0);
  }
});

test("no more than the window is fetched ahead", async () => {
  const spool = await open(await archiveSegments(store, 1, 70));
  await waitFor(() => readdirSync(spool.directory).filter((name) => /^[0-9A-F]{24}$/.test(name)).length === 64);
  expect(isReady(spool, 65)).toBe(false);
  expect(take(segmentName(1), spool)).toBe(0);
  await waitFor(() => isReady(spool, 65));
  expect(isReady(spool, 66)).toBe(false);
});

describe("what is not in the spool", () => {
  test("is left to the program, whose status decides: absent, delivered, anything else", async () => {
    const spool = await open(await archiveSegments(store, 5, 1));
    await waitFor(() => isReady(spool, 5));
    expect(take(segmentName(9), spool, ["sh", "-c", "exit 100"])).toBe(1);
    expect(take(segmentName(9), spool, ["sh", "-c", "exit 0"])).toBe(0);
    for (const status of [1, 2, 125, 126, 127, 143])
      expect(take(segmentName(9), spool, ["sh", "-c", `exit ${status}`])).toBe(126);
    expect(take("00000002.history", spool, ["sh", "-c", "exit 100"])).toBe(1);
  });

  test("because one byte of its object is flipped: it is never ready, the program decides, and the others go on", async () => {
    const table = await archiveSegments(store, 5, 4);
    const path = join(bucket, table.segments[1]?.key ?? "");
    const bytes = readFileSync(path);
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const spool = await open(table);
    await waitFor(() => [5, 7, 8].every((index) => isReady(spool, index)));
    expect(take(segmentName(6), spool)).toBe(126);
    expect(isReady(spool, 6)).toBe(false);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: "prefetch-failed",
        name: segmentName(6),
        error: expect.objectContaining({ code: "REPOSITORY_DAMAGED" }),
      }),
    );
    // A segment is ready a moment before its mark goes.
    await waitFor(() => readdirSync(spool.directory).sort().join() === [5, 7, 8].map(segmentName).join());
  });

  test("because the spool itself is gone: the program decides", async () => {
    const spool = await open(await archiveSegments(store, 5, 2));
    rmSync(spool.directory, { recursive: true });
    expect(take(segmentName(5), spool, ["sh", "-c", "exit 0"])).toBe(0);
    expect(take(segmentName(5), spool, ["sh", "-c", "exit 100"])).toBe(1);
    expect(take(segmentName(5), spool, ["no-such-program"])).toBe(126);
    await waitFor(() => events.some(({ type }) => type === "prefetch-ended" || type === "prefetch-failed"));
  });
});

test("what lies in the spool from an earlier run is not taken for this one", async () => {
  const stale = join(dataDir, "soar-restore", "spool");
  mkdirSync(stale);
  writeFileSync(join(stale, segmentName(9)), "of another plan");
  const spool = await open(await archiveSegments(store, 5, 1));
  expect(spool.directory).toBe(stale);
  expect(take(segmentName(9), spool)).toBe(126);
});
