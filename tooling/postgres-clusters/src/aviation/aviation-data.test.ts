import { expect, test } from "vitest";
import { requireInstallation } from "../postgres/installations.ts";
import { createTestCluster } from "../postgres/test-cluster.ts";
import { aviationTrafficSql, loadAviationData } from "./aviation-data.ts";
import { databaseDigest, differingTables } from "./database-digest.ts";

test("loads the owner's tables at the wanted size, one partition a day", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation(), databases: ["soar"] });
  const run = (sql: string): Promise<Readonly<Record<string, unknown>>[]> => cluster.query(sql, undefined, "soar");
  await loadAviationData(run, { sizeMb: 60, days: 3 });
  const [size] = await run("select pg_database_size('soar')::float8 / 2^20 as mb");
  expect(Number(size?.["mb"])).toBeGreaterThan(54);
  expect(Number(size?.["mb"])).toBeLessThan(66);
  const partitions = await run(
    "select inhparent::regclass::text as parent, count(*)::int as days from pg_inherits where inhparent::regclass::text in ('aprs_messages','fixes') group by 1 order by 1",
  );
  expect(partitions).toEqual([
    { parent: "aprs_messages", days: 3 },
    { parent: "fixes", days: 3 },
  ]);
  // Attached with its own indexes taken over, not with second ones beside them.
  expect(
    await run(
      "select tablename, count(*)::int as indexes from pg_indexes where tablename like '%p20250110' group by 1 order by 1",
    ),
  ).toEqual([
    { tablename: "aprs_messages_p20250110", indexes: 3 },
    { tablename: "fixes_p20250110", indexes: 4 },
  ]);
});

test("a digest changes with any row and comes back with it, whatever the order of the rows", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation(), databases: ["soar"] });
  const run = (sql: string): Promise<Readonly<Record<string, unknown>>[]> => cluster.query(sql, undefined, "soar");
  await loadAviationData(run, { sizeMb: 10, days: 2 });
  const before = await databaseDigest(run);
  await run(
    "create table kept as select * from devices; delete from devices where registration like 'D-0001_'; create unlogged table scratch as select 1 as n",
  );
  const after = await databaseDigest(run);
  expect(differingTables(before, after)).toEqual(["public.devices", "public.kept"]);
  await run("insert into devices select * from kept except select * from devices; drop table kept");
  await run("cluster aprs_messages_p20250110 using aprs_messages_p20250110_pkey");
  expect(await databaseDigest(run)).toEqual(before);
  await run(aviationTrafficSql({ rows: 20 }));
  expect(differingTables(before, await databaseDigest(run))).toEqual([
    "public.aprs_messages_p20250110",
    "public.devices",
    "public.fixes_p20250110",
  ]);
});
