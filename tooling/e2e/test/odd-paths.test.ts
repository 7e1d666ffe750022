// @module-tag needs-postgres-clients
import { chownSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { adoptTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult } from "@soar-tooling/test-bench";
import { connectSql } from "@soar/pg-tools/replication";
import type { BackupRecord } from "@soar/repository";
import { openStore, readObject } from "@soar/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { type Binary, createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** A server whose tablespace lies where Latin-1 was spoken, as an old path of an old server does: `café` without UTF-8. */
let world: SoarWorld;
let place: Buffer;
let oid: number;
let records: Readonly<Record<"server" | "archive", BackupRecord>>;

const run = (binary: Binary, ...args: readonly string[]): Promise<ProgramResult> =>
  world.run(binary, args, {
    settings: {
      BACKUP_TEMP_DIR: join(world.directory, "temp"),
      BACKUP_DRILL_STATE_DIR: join(world.directory, "drill"),
    },
  });
const restore = (...args: readonly string[]): Promise<ProgramResult> => run("soar-restore", ...args);
const rows = (): Promise<unknown> => world.cluster.query("SELECT count(*)::int AS rows FROM devices", [], "soar");

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_dump", "pg_restore"),
    initdbArgs: ["--encoding=SQL_ASCII", "--wal-segsize=1"],
    databases: ["soar"],
  });
  const { cluster, directory } = world;
  place = Buffer.from(join(directory, "caf\xe9"), "latin1");
  mkdirSync(place);
  chownSync(place, cluster.owner.uid, cluster.owner.gid);
  {
    await using sql = await connectSql({ ...cluster.connection, isOwnServer: true }, { writes: true });
    await sql.query(`CREATE TABLESPACE coffee LOCATION '${directory}/caf\udce9'`);
  }
  await cluster.query(
    "CREATE TABLE devices TABLESPACE coffee AS SELECT n AS id FROM generate_series(1, 1000) n",
    [],
    "soar",
  );
  const backup = async (...args: readonly string[]): Promise<BackupRecord> => {
    const result = await run("soar-base-backup", "take", "--no-expire", "--json", ...args);
    if (result.status !== 0) throw new Error(result.stderr);
    await archiveAll(cluster);
    return JSON.parse(result.stdout) as BackupRecord;
  };
  records = { server: await backup(), archive: await backup("--from-archive") };
  oid = records.server.tablespaces[0]?.oid ?? 0;
});
afterAll(() => world[Symbol.asyncDispose]());

test.each(["server", "archive"] as const)("a backup from the %s names the path by its bytes", async (from) => {
  const { label, tablespaces } = records[from];
  expect(tablespaces.map(({ location }) => location)).toEqual([`${world.directory}/caf\udce9`]);
  const { s3, settings } = world;
  const url = settings["BACKUP_BUCKET"] ?? "";
  const store = openStore({ url, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
  const map = await readObject(store, `base/${label}/tablespace_map`);
  await store.close();
  expect(map).toEqual(Buffer.concat([Buffer.from(`${oid} `), place, Buffer.from("\n")]));
});

test("every byte of these backups is well, and a drill and a rescue get through", async () => {
  const verified = await run("soar-backup-verify", "verify", "--level", "full");
  expect(verified, `${verified.stdout}${verified.stderr}`).toMatchObject({ status: 0 });
  const drilled = await run("soar-backup-verify", "drill");
  expect(drilled, drilled.stderr).toMatchObject({ status: 0 });
  const file = join(world.directory, "devices.sql");
  const rescued = await restore("table", "devices", "--database", "soar", "--output", file);
  expect(rescued, rescued.stderr).toMatchObject({ status: 0 });
  expect(readFileSync(file, "utf8").match(/^\d+$/gm)).toHaveLength(1000);
});

test("no restore puts the tablespace beside its place: it wants another one, before anything is touched", async () => {
  const copy = join(world.directory, "refused");
  const refused = {
    status: 82,
    stderr: expect.stringMatching(
      new RegExp(`tablespace ${oid} to '.*caf\\\\xe9'[\\s\\S]*--tablespace-map ${oid}=/new/directory`),
    ) as string,
  };
  for (const where of [["--data-dir", copy], []]) {
    expect(await restore("plan", "--latest", ...where)).toMatchObject(refused);
    expect(await restore("--latest", "--yes", ...where)).toMatchObject(refused);
  }
  expect(await restore("plan", "--latest", "--tablespace-map", `${oid + 1}=/new`)).toMatchObject({
    status: 64,
    stderr: expect.stringMatching(new RegExp(`It has: ${oid} in .*caf\\\\xe9`)) as string,
  });
  expect(readdirSync(world.directory)).not.toContain("refused");
  // Nor a directory whose name has the sign for what cannot be shown.
  expect(
    readdirSync(Buffer.from(world.directory), { encoding: "buffer" }).map((name) => name.toString("latin1")),
  ).toEqual(expect.not.arrayContaining([expect.stringContaining("\xef\xbf\xbd")]));
  expect(await rows()).toEqual([{ rows: 1000 }]);
});

test(
  "with a place by its OID a copy, the server itself and what lies there are restored",
  { timeout: 240_000 },
  async () => {
    const { cluster, directory } = world;
    const map = (name: string): string[] => ["--tablespace-map", `${oid}=${join(directory, name)}`];
    const dataDir = join(directory, "copy");
    const port = String(await freePort());
    const copied = await restore("--latest", "--data-dir", dataDir, "--port", port, "--yes", ...map("of-copy"));
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    await using copy = await adoptTestCluster({ installation: cluster.installation, dataDir, start: false });
    await copy.stop();
    expect(readdirSync(join(directory, "of-copy"))).toEqual([expect.stringMatching(/^PG_15/)]);

    await cluster.kill();
    const placed = await restore("--latest", "--yes", ...map("moved"));
    expect(placed, placed.stderr).toMatchObject({ status: 0 });
    expect(await rows()).toEqual([{ rows: 1000 }]);
    expect(readdirSync(place)).toEqual([expect.stringMatching(/^PG_15/)]);
    await cluster.query("DELETE FROM devices", [], "soar");
    await archiveAll(cluster);
    await cluster.kill();
    const again = await restore("--immediate", "--delta", "--yes", ...map("moved"));
    expect(again, again.stderr).toMatchObject({ status: 0 });
    expect(await rows()).toEqual([{ rows: 1000 }]);
    const discarded = await restore("discard-old", "--data-dir", cluster.dataDir, "--yes");
    expect(discarded, discarded.stderr).toMatchObject({ status: 0 });
    expect(await rows()).toEqual([{ rows: 1000 }]);
  },
);
