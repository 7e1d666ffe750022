// @module-tag needs-postgres-clients
import { join } from "node:path";
import { adoptTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { copyAsOld } from "../src/old-backup.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

const OLD = "2025-01-01";
let world: SoarWorld;

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation("pg_ctl", "pg_dump"), databases: ["soar"] });
  await world.cluster.query("CREATE TABLE devices AS SELECT 1 AS id", [], "soar");
  for (const label of ["2025-03-03", "2025-03-04"]) {
    const backup = await world.run("soar-base-backup", ["--label", label, "--no-expire"]);
    if (backup.status !== 0) throw new Error(backup.stderr);
    await archiveAll(world.cluster);
  }
  // The anchor of the window, without which the old one would be it.
  await copyAsOld(world, "2025-03-03", "2025-01-02");
});
afterAll(() => world[Symbol.asyncDispose]());

const expire = (...args: readonly string[]): Promise<ProgramResult> =>
  world.run("soar-base-backup", ["expire", ...args], {
    settings: { BACKUP_RETENTION_COUNT: "1", BACKUP_RETENTION_DAYS: "1" },
  });
const isThere = (): boolean => [...world.s3.objects().keys()].some((key) => key.startsWith(`cluster1/base/${OLD}/`));

/** Holds the command up while it fetches, and lets expiry run meanwhile, for which the backup is due. */
async function expireDuring(args: readonly string[]): Promise<ProgramResult> {
  await copyAsOld(world, "2025-03-03", OLD);
  expect((await expire("--dry-run")).stdout).toMatch(new RegExp(`remove +${OLD}`));
  const stall = world.s3.inject({
    operation: "GetObject",
    key: /\/backup\.tar\.gz$/,
    times: "always",
    fault: { type: "stall" },
  });
  const running = world.run("soar-restore", ["--immediate", "--base-backup", OLD, ...args], {
    settings: { BACKUP_TEMP_DIR: join(world.directory, "temp") },
  });
  const ended = await Promise.race([stall.firstHit, running]);
  expect(ended, ended?.stderr).toBeUndefined();
  expect((await expire("--dry-run")).stdout).toMatch(new RegExp(`keep +${OLD} +.*in use: restore`));
  expect(await expire("--yes")).toMatchObject({ status: 0 });
  expect(isThere()).toBe(true);
  stall.release();
  world.s3.clearFaults();
  const result = await running;
  // Given back: from now on it may go.
  expect(await expire("--yes")).toMatchObject({ status: 0 });
  expect(isThere()).toBe(false);
  return result;
}

test("expiry leaves alone what a restore fetches", { timeout: 120_000 }, async () => {
  const dataDir = join(world.directory, "copy");
  const restored = await expireDuring(["--data-dir", dataDir, "--port", String(await freePort()), "--yes"]);
  expect(restored, restored.stderr).toMatchObject({ status: 0 });
  await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
  await copy.stop();
});

test("expiry leaves alone what a rescue fetches", { timeout: 120_000 }, async () => {
  const rescued = await expireDuring(["--target-database", "rescued", "--database", "soar", "--no-destructive"]);
  expect(rescued, rescued.stderr).toMatchObject({ status: 0 });
  expect(await world.cluster.query("SELECT id FROM devices", [], "rescued")).toEqual([{ id: 1 }]);
});

test(
  "a key that may only read restores all the same, and says that expiry does not know",
  { timeout: 120_000 },
  async () => {
    const reader = { accessKeyId: "READER", secretAccessKey: "secret", deny: ["s3:PutObject", "s3:DeleteObject"] };
    world.s3.addCredential(reader);
    const dataDir = join(world.directory, "read-only");
    const restored = await world.run(
      "soar-restore",
      ["--latest", "--data-dir", dataDir, "--port", String(await freePort()), "--yes"],
      { settings: { AWS_ACCESS_KEY_ID: reader.accessKeyId, AWS_SECRET_ACCESS_KEY: reader.secretAccessKey } },
    );
    expect(restored, restored.stderr).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("expiry was not told of this restore: "),
    });
    await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
    await copy.stop();
  },
);
