import { appendFileSync, chownSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { readClusterState } from "@soar/pg-tools/cluster";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** A server that was started as `pg_ctl -D /etc/postgresql/...`: its postgresql.conf says where its data lies. */
let world: SoarWorld;
let etc: string;

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation("pg_ctl"), initdbArgs: ["--wal-segsize=1"] });
  const { cluster } = world;
  await cluster.query("CREATE TABLE devices AS SELECT generate_series(1, 1000) AS id");
  await cluster.stop();
  etc = join(dirname(cluster.dataDir), "etc");
  mkdirSync(etc, { mode: 0o700 });
  chownSync(etc, cluster.owner.uid, cluster.owner.gid);
  for (const name of ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"])
    renameSync(join(cluster.dataDir, name), join(etc, name));
  appendFileSync(join(etc, "postgresql.conf"), `data_directory = '${cluster.dataDir}'\nwork_mem = '5MB'\n`);
  const log = join(cluster.socketDir, "own.log");
  await cluster.runProgram("pg_ctl", ["-D", etc, "-l", log, "-w", "-o", "-c maintenance_work_mem=7MB", "start"]);
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await archiveAll(cluster);
});
afterAll(() => world[Symbol.asyncDispose]());

const startedWith = (): string => readFileSync(join(world.cluster.dataDir, "postmaster.opts"), "utf8");
const seen = (): Promise<unknown> =>
  world.cluster.query(
    "SELECT count(*)::int AS rows, current_setting('config_file') AS config, current_setting('hba_file') AS hba, current_setting('work_mem') AS work, current_setting('maintenance_work_mem') AS maintenance FROM devices",
  );
const asItWas = (): unknown => [
  {
    rows: 1000,
    config: join(etc, "postgresql.conf"),
    hba: join(etc, "pg_hba.conf"),
    work: "5MB",
    maintenance: "7MB",
  },
];

test("stopped for an in-place restore that then fails, it runs again as it was", { timeout: 120_000 }, async () => {
  expect(startedWith()).toContain(`"-D" "${etc}"`);
  expect(await seen()).toEqual(asItWas());
  const second = world.s3.inject({
    operation: "PutObject",
    key: /\/leases\//,
    skip: 1,
    fault: { type: "stall" },
  });
  const running = world.run("soar-restore", ["--latest", "--yes"]);
  const ended = await Promise.race([second.firstHit, running]);
  expect(ended, ended?.stderr).toBeUndefined();
  expect((await readClusterState(world.cluster.dataDir)).running).toBe(false);
  world.s3.inject({
    operation: ["GetObject", "HeadObject"],
    key: /\/backup\.json$/,
    times: "always",
    fault: { type: "error", status: 404, code: "NoSuchKey" },
  });
  second.release();
  const result = await running;
  world.s3.clearFaults();
  expect(result.status, result.stderr).toBe(65);
  expect(result.stderr).toContain("was started again: the server of");
  expect(await seen()).toEqual(asItWas());
});

test("restored in place, it runs with its configuration directory again", { timeout: 120_000 }, async () => {
  await world.cluster.query("DROP TABLE devices");
  const result = await world.run("soar-restore", ["--immediate", "--yes"]);
  expect(result.status, result.stderr).toBe(0);
  expect(await seen()).toMatchObject([
    { rows: 1000, config: join(etc, "postgresql.conf"), hba: join(etc, "pg_hba.conf"), work: "5MB" },
  ]);
});
