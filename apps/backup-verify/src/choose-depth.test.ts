import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chooseDepth, type ChosenDepth } from "./choose-depth.ts";

const DAY_MS = 86_400_000;
let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "soar-depth-"))));
afterEach(() => rmSync(directory, { recursive: true }));

type Config = Parameters<typeof chooseDepth>[0];
const choose = (config: Partial<Config> = {}, labels: readonly string[] = []): Promise<ChosenDepth> =>
  chooseDepth({ level: undefined, sample: undefined, rereadWithinMs: 30 * DAY_MS, everyMs: 7 * DAY_MS, stateDir: join(directory, "state"), ...config }, { labels, location: "s3://b/p" });

test("the weekly run reads the newest backup in full, and so much of the rest that every byte is read again within 30 days", async () => {
  // Four runs fit into 30 days: a quarter each, and whatever would be older than 30 days at the next one.
  expect((await choose()).depth).toMatchObject({ level: "sample", newest: true, share: 1 / 4, longestMs: 23 * DAY_MS });
  expect((await choose({ everyMs: DAY_MS })).depth).toMatchObject({ newest: true, share: 1 / 30, longestMs: 29 * DAY_MS });
  // Less often than it may take: then everything each time.
  expect((await choose({ everyMs: 60 * DAY_MS })).depth).toMatchObject({ newest: true, share: 1, longestMs: 0 });
});

test("a level that is told, or a backup that is named, needs no memory", async () => {
  expect(await choose({ level: "quick" })).toEqual({ depth: { level: "quick" }, memory: undefined, findings: [] });
  expect(await choose({ level: "full" })).toEqual({ depth: { level: "full" }, memory: undefined, findings: [] });
  expect(await choose({}, ["2025-01-05"])).toEqual({ depth: { level: "full" }, memory: undefined, findings: [] });
  expect(existsSync(join(directory, "state"))).toBe(false);
});

test("a share that is told reads no backup in full", async () => {
  const { depth, memory } = await choose({ sample: "3%" });
  expect(depth).toMatchObject({ level: "sample", newest: false, share: 0.03 });
  expect(depth).not.toHaveProperty("longestMs");
  expect(memory).toBeDefined();
});
