import { readdirSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type Binary, type SoarWorld } from "../src/soar-world.ts";
import { startTailShipping, waitForTail } from "../src/tail.ts";

// Node may hang at its end, with the work done and everything printed (nodejs/node#54918): a run that does not end is named by `run`.

const AT_ONCE = 6;
let world: SoarWorld;

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation("pg_ctl") });
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await archiveAll(world.cluster);
});
afterAll(() => world[Symbol.asyncDispose]());

/** The statuses of many runs, on a machine that is busy with them. */
async function statusesOf(count: number, binary: Binary, args: readonly string[]): Promise<Set<number | null>> {
  const statuses = new Set<number | null>();
  let left = count;
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      statuses.add((await world.run(binary, args)).status);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return statuses;
}

test(
  "archive_command ends, on a busy machine, too, with and without the resident archiver",
  { timeout: 180_000 },
  async () => {
    const [name = ""] = readdirSync(join(world.cluster.dataDir, "pg_wal"))
      .filter((one) => /^[0-9A-F]{24}$/.test(one))
      .sort();
    const push = [join(world.cluster.dataDir, "pg_wal", name), name];
    expect(await statusesOf(40, "soar-wal-archive", push)).toEqual(new Set([0]));
    startTailShipping(world);
    await world.cluster.query("CREATE TABLE t AS SELECT 1 AS a");
    await waitForTail(world);
    expect(await statusesOf(60, "soar-wal-archive", push)).toEqual(new Set([0]));
  },
);
