import { sha256Hex } from "@soar/repository";
import { putSampleBackup, replaceObject } from "@soar-tooling/sample-repository";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type HostileWorld, LARGEST_BYTES, openHostileWorld, runMeasured } from "./hostile-world.ts";

let world: HostileWorld;
beforeEach(async () => {
  world = await openHostileWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const BACKUPS = 16;

/** As large as records may be, or larger, and no two alike: our own programs write none that they would not read. */
async function plant(count: number, nameLength: number): Promise<void> {
  for (let at = 1; at <= BACKUPS; at += 1) {
    const label = `2024-12-${String(at).padStart(2, "0")}`;
    const databases = Array.from({ length: count }, (_, index) => ({
      oid: index + 1,
      name: `${at}-${index}`.padEnd(nameLength, "x"),
    }));
    await putSampleBackup(world.store, { label, first: 3 });
    await replaceObject(world.store, `base/${label}/backup.json`, (bytes) => {
      const { digest: _, ...record } = JSON.parse(bytes.toString("utf8")) as Record<string, unknown>;
      const content = JSON.stringify({ ...record, databases }, undefined, 2).replace(/\n\}$/, "");
      return Buffer.from(`${content},\n  "digest": "${sha256Hex(Buffer.from(content))}"\n}\n`);
    });
  }
}

test.each([
  { name: "15 MiB", count: 80_000, nameLength: 130, told: /no record has more than/ },
  {
    name: "more databases than there may be",
    count: 80_000,
    nameLength: 20,
    told: /databases: more than 50000 entries/,
  },
  { name: "as many databases as there may be, of long names", count: 50_000, nameLength: 90, told: /too many beside/ },
])(
  "sixteen records of $name are listed in little memory, and the backups of others can be restored",
  { timeout: 240_000 },
  async ({ count, nameLength, told }) => {
    await plant(count, nameLength);
    const { status, stderr, stdout, peak } = await runMeasured(world, ["plan", "--latest", "--json"]);
    expect(status, stderr).toBe(0);
    expect(stdout + stderr).toMatch(told);
    expect(peak, stderr).toBeGreaterThan(0);
    expect(peak, stderr).toBeLessThan(LARGEST_BYTES);
  },
);
