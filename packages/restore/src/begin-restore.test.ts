import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { beginRestore } from "./begin-restore.ts";
import type { Approach } from "./fetch/delta/approach.ts";
import type { RestoreOptions, Still } from "./run/restore-options.ts";
import { lockRestore } from "./status/restore-lock.ts";

let root: string;
let dataDir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-begin-"));
  dataDir = join(root, "data");
  mkdirSync(join(dataDir, "soar-restore", "socket"), { recursive: true });
  writeFileSync(join(dataDir, "PG_VERSION"), "15\n");
});
afterEach(() => rmSync(root, { recursive: true }));

test.each<Approach>([
  { kind: "replace", systemIdentifier: "7", running: undefined },
  { kind: "refill", earlier: undefined, ownData: false },
])("a restore that began since the directory was checked is left alone: $kind", async (approach) => {
  const lock = await lockRestore(dataDir, undefined);
  // Of the plan and of what was checked, nothing counts before that.
  const still = { plan: {}, checked: { approach, tablespaces: new Map() } } as unknown as Still;
  const options = { dataDir, doubts: [] } as unknown as RestoreOptions & { readonly doubts: readonly never[] };
  await expect(beginRestore(still, options)).rejects.toMatchObject({
    code: "DIRECTORY_NOT_EMPTY",
    message: expect.stringContaining("another soar-restore") as string,
  });
  expect(readdirSync(root)).toEqual(["data"]);
  expect(existsSync(join(dataDir, "soar-restore", "socket"))).toBe(true);
  await lock.release();
});
