import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chooseDepth, type ChosenDepth } from "./choose-depth.ts";

const DAY_MS = 86_400_000;
let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "soar-depth-"))));
afterEach(() => rmSync(directory, { recursive: true }));

type Config = Parameters<typeof chooseDepth>[0];
const choose = (
  config: Partial<Config> = {},
  { labels = [], argv = [] }: { readonly labels?: readonly string[]; readonly argv?: readonly string[] } = {},
): Promise<ChosenDepth> =>
  chooseDepth(
    {
      level: undefined,
      sample: undefined,
      rereadWithinMs: 30 * DAY_MS,
      everyMs: 7 * DAY_MS,
      stateDir: join(directory, "state"),
      ...config,
    },
    { labels, location: "s3://b/p", argv },
  );

test("the weekly run reads the newest backup in full, and so much of the rest that every byte is read again within 30 days", async () => {
  // Four runs fit into 30 days: a quarter each, and whatever would be older than 30 days at the next one.
  expect((await choose()).depth).toMatchObject({ level: "sample", newest: true, share: 1 / 4, longestMs: 23 * DAY_MS });
  expect((await choose({ everyMs: DAY_MS })).depth).toMatchObject({
    newest: true,
    share: 1 / 30,
    longestMs: 29 * DAY_MS,
  });
  // Less often than it may take: then everything each time.
  expect((await choose({ everyMs: 60 * DAY_MS })).depth).toMatchObject({ newest: true, share: 1, longestMs: 0 });
});

/** Lets a run remember that it read a unit, and asks another run when that was. */
async function expectRemembered(config: Partial<Config>): Promise<void> {
  const { memory } = await choose(config);
  await memory?.remember({ at: new Date(5 * DAY_MS), read: ["unit"], damaged: new Set(), existing: undefined });
  expect((await choose(config)).memory?.lastRead("unit")).toBe(5 * DAY_MS);
}

test("a level that is told, or a backup that is named, counts more than the sample of the env file", async () => {
  for (const sample of [undefined, "3%"]) {
    expect(await choose({ level: "quick", sample })).toEqual({
      depth: { level: "quick" },
      memory: undefined,
      findings: [],
    });
    expect(existsSync(join(directory, "state"))).toBe(false);
    expect((await choose({ level: "stored", sample })).depth).toEqual({ level: "stored" });
    expect((await choose({ level: "full", sample })).depth).toEqual({ level: "full" });
    expect((await choose({ sample }, { labels: ["2025-01-05"], argv: ["2025-01-05"] })).depth).toEqual({
      level: "full",
    });
    rmSync(join(directory, "state"), { recursive: true });
  }
  expect(
    (await choose({ sample: "3%" }, { labels: ["2025-01-05"], argv: ["2025-01-05", "--sample", "3%"] })).depth,
  ).toMatchObject({ level: "sample", newest: false });
  expect(
    (await choose({ level: "quick", sample: "3%" }, { argv: ["--level", "quick", "--sample=3%"] })).depth,
  ).toMatchObject({ level: "sample", newest: false });
});

test("what is read in full is remembered where it can be, and no trouble where it cannot", async () => {
  await expectRemembered({ level: "full" });
  writeFileSync(join(directory, "file"), "");
  expect(await choose({ level: "full", stateDir: join(directory, "file", "x") })).toMatchObject({
    depth: { level: "full" },
    memory: undefined,
    findings: [{ kind: "memory-unusable", severity: "notice" }],
  });
});

test("a share that is told reads no backup in full", async () => {
  const { depth } = await choose({ sample: "3%" });
  expect(depth).toMatchObject({ level: "sample", newest: false, share: 0.03 });
  expect(depth).not.toHaveProperty("longestMs");
  await expectRemembered({ sample: "3%" });
});
