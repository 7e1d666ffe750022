import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectSql } from "@soar/pg-tools/replication";
import { adoptTestCluster, postgresMajors, type TestCluster } from "@soar-tooling/postgres-clusters";
import { freePort } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRestoreWorld, ownedDirectory, type RestoreWorld } from "./restore-world.ts";
import { succeed } from "./tablespace-world.ts";

// promote_trigger_file went with version 16.
const majors = postgresMajors().filter(({ major }) => major === 15);

describe.each(majors)("a source of PostgreSQL $version with promote_trigger_file, which is there", (installation) => {
  let world: RestoreWorld;
  let trigger: string;
  beforeAll(async () => {
    world = await createRestoreWorld({ installation });
    trigger = join(ownedDirectory(world, "triggers"), "promote");
    await world.cluster.configure({ promote_trigger_file: trigger });
    await succeed(world, "soar-base-backup");
    writeFileSync(trigger, "");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const stateOf = async (port: number): Promise<unknown> => {
    await using sql = await connectSql({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
    const [row] = await sql.query(
      "SELECT current_setting('promote_trigger_file') AS trigger, pg_is_in_recovery() AS recovering",
    );
    return row;
  };

  test("a copy that pauses is not promoted by it, nor when it is started by hand", { timeout: 60_000 }, async () => {
    const [dataDir, port] = [join(world.directory, "copy"), await freePort()];
    const args = ["--data-dir", dataDir, "--port", String(port), "--yes", "--target-action", "pause"];
    const { stdout } = await succeed(world, "soar-restore", "--immediate", ...args, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "paused" });
    expect(await stateOf(port)).toEqual({ trigger: "", recovering: true });
    await using copy: TestCluster = await adoptTestCluster({ installation, dataDir, start: false });
    await copy.stop();
    await copy.start();
    expect(await stateOf(copy.port)).toEqual({ trigger: "", recovering: true });
    // A server removes the file by which it was promoted.
    expect(existsSync(trigger)).toBe(true);
  });

  test("nor does it end the restore of one that is promoted at its target", { timeout: 60_000 }, async () => {
    const [dataDir, port] = [join(world.directory, "promoted"), await freePort()];
    await succeed(world, "soar-restore", "--immediate", "--data-dir", dataDir, "--port", String(port), "--yes");
    expect(await stateOf(port)).toEqual({ trigger, recovering: false });
    expect(existsSync(trigger)).toBe(true);
    await using copy = await adoptTestCluster({ installation, dataDir, start: false });
    await copy.stop();
  });
});
