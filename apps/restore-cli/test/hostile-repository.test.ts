import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ATTACKS, CONFIGURATION_ATTACK, RESCUE_ATTACKS } from "./hostile-attacks.ts";
import { type HostileWorld, LARGEST_BYTES, openHostileWorld, runMeasured } from "./hostile-world.ts";

let world: HostileWorld;
beforeEach(async () => {
  world = await openHostileWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

test.each([CONFIGURATION_ATTACK, ...ATTACKS])(
  "a restore from a repository with $name is refused in little memory, and leaves nothing that starts",
  { timeout: 120_000 },
  async ({ plant, refusal }) => {
    await plant(world);
    const dataDir = join(world.root, "data");
    const place = ["--data-dir", dataDir, "--bin-dir", requireInstallation("pg_ctl").binDir, "--log-dir", world.root];
    const { status, stderr, peak } = await runMeasured(world, ["--latest", ...place, "--yes"]);
    expect(stderr).toMatch(refusal);
    expect(status, stderr).toBeGreaterThan(1);
    expect(peak, stderr).toBeGreaterThan(0);
    expect(peak, stderr).toBeLessThan(LARGEST_BYTES);
    expect(existsSync(join(dataDir, "global", "pg_control"))).toBe(false);
  },
);

test.each([...ATTACKS, ...RESCUE_ATTACKS])(
  "a rescue of a table from a repository with $name is refused in little memory, and leaves no scratch cluster",
  { timeout: 120_000 },
  async ({ plant, refusal, rescued = refusal }) => {
    await plant(world);
    const tempDir = join(world.root, "temp");
    const place = ["--temp-dir", tempDir, "--bin-dir", requireInstallation("pg_dump").binDir, "--log-dir", world.root];
    const output = join(world.root, "rescued.sql");
    const what = ["table", "public.devices", "--database", "soar", "--output", output, "--owner", serverUser().name];
    const { status, stderr, peak } = await runMeasured(world, [...what, "--latest", ...place, "--yes"]);
    expect(stderr).toMatch(rescued);
    expect(status, stderr).toBeGreaterThan(1);
    expect(peak, stderr).toBeGreaterThan(0);
    expect(peak, stderr).toBeLessThan(LARGEST_BYTES);
    expect(existsSync(output)).toBe(false);
    expect(existsSync(tempDir) ? readdirSync(tempDir) : []).toEqual([]);
  },
);
