// @module-tag needs-postgres-clients
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import {
  createTestCluster,
  postgresInstallations,
  postgresMajors,
  requireInstallation,
  type PostgresInstallation,
  type TestCluster,
} from "@soar-tooling/postgres-clusters";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** A backup of a major whose programs lie in no place that is looked into unasked. */
let world: SoarWorld;
/** A cluster of another major, which is installed. */
let other: TestCluster;

beforeAll(async () => {
  const installed = requireInstallation("pg_dump");
  world = await createSoarWorld({ installation: notInstalled() });
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  other = await createTestCluster({ installation: installed });
});
afterAll(async () => {
  await other.remove();
  await world[Symbol.asyncDispose]();
});

function notInstalled(): PostgresInstallation {
  const found = postgresMajors().find(({ embedded }) => embedded);
  if (found === undefined)
    throw new Error(
      `a major is needed that only npm has, of ${postgresInstallations()
        .map(({ version }) => version)
        .join(", ")}`,
    );
  return found;
}

function expectRefusal(result: ProgramResult, message: RegExp, hint: RegExp): void {
  expect(result.status, result.stderr).toBe(86);
  expect(result.stderr).toMatch(message);
  expect(result.stderr).toMatch(hint);
}

const restore = (...args: readonly string[]): Promise<ProgramResult> => world.run("soar-restore", args);

describe("a backup of one major version is never restored", () => {
  test.each([[[]], [["--delta"]], [["--discard-old-data"]]])(
    "over the cluster of another one, running or stopped, with %j",
    async (flags: readonly string[]) => {
      const [backed, there] = [world.cluster.installation.major, other.installation.major];
      const fact = new RegExp(`it holds a cluster of PostgreSQL ${there}, the backup is of PostgreSQL ${backed}`);
      const control = (): Buffer => readFileSync(join(other.dataDir, "global", "pg_control"));
      await other.start();
      const pid = other.pid();
      expectRefusal(
        await restore("--latest", "--data-dir", other.dataDir, "--yes", ...flags),
        fact,
        /another directory with --data-dir.*Nothing was changed/,
      );
      expect(other.pid()).toBe(pid);
      await other.stop();
      const before = [control(), readdirSync(other.dataDir), readdirSync(join(other.dataDir, ".."))];
      expectRefusal(
        await restore("--latest", "--data-dir", other.dataDir, "--yes", ...flags),
        fact,
        /Nothing was changed/,
      );
      expect([control(), readdirSync(other.dataDir), readdirSync(join(other.dataDir, ".."))]).toEqual(before);
    },
  );

  test("by the programs of another one, neither whole nor a database nor a table", async () => {
    const directory = join(world.directory, "copy");
    // As on a host where only the other one is installed, and named.
    const binDir = join(world.directory, "bin");
    mkdirSync(binDir);
    for (const name of other.installation.programs) symlinkSync(join(other.binDir, name), join(binDir, name));
    const major = world.cluster.installation.major;
    const fact = new RegExp(
      `unable to find postgres.* of PostgreSQL ${major}: .*${binDir} has ${other.installation.version}`,
    );
    const scratch = join(world.directory, "scratch");
    for (const args of [
      ["--latest", "--data-dir", directory, "--yes"],
      ["plan", "--latest", "--data-dir", directory],
      ["--latest", "--target-database", "rescued", "--no-destructive", "--database", "postgres", "--temp-dir", scratch],
      [
        "table",
        "public.t",
        "--latest",
        "--database",
        "postgres",
        "--output",
        join(world.directory, "t.sql"),
        "--temp-dir",
        scratch,
      ],
    ]) {
      expectRefusal(await restore(...args, "--bin-dir", binDir), fact, new RegExp(`Install PostgreSQL ${major}`));
    }
    expect([existsSync(directory), existsSync(join(world.directory, "t.sql"))]).toEqual([false, false]);
  });
});
