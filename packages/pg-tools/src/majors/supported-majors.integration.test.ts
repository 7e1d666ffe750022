import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createTestCluster, postgresMajors, TESTED_MAJORS, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { completeSegments, scanSegments } from "../../test/wal-load.ts";
import { readControlFile } from "../control-file/control-file.ts";
import { parseBackupManifest } from "../manifest/manifest-reader.ts";
import { baseBackup } from "../replication/base-backup.ts";
import { connectReplication } from "../replication/replication-connection.ts";
import { readWalPageHeader } from "../wal-records/wal-page-header.ts";
import { findMajor, majorOfVersionNumber } from "./find-major.ts";
import { SUPPORTED_MAJORS } from "./supported-majors.ts";

const installations = postgresMajors();

test("every row has a server that it is compared with, and every server a row", () => {
  expect(SUPPORTED_MAJORS.map(({ major }) => major)).toEqual([...TESTED_MAJORS]);
});

/** Positions in pg_control are compared by `control-file.integration.test.ts`, records of a crash by `damaged-wal.integration.test.ts`. */
describe.each(installations)("the row of PostgreSQL $version says what the server says:", (installation) => {
  const row = findMajor(installation.major);
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await createTestCluster({
      installation,
      initdbArgs: ["--wal-segsize=1"],
      settings: { wal_keep_size: "64MB" },
    });
  });
  afterAll(() => cluster.remove());

  const one = async (sql: string): Promise<unknown> => Object.values((await cluster.query(sql))[0] ?? {})[0];

  test("its versions", async () => {
    expect(majorOfVersionNumber(Number(await one("SELECT current_setting('server_version_num')")))).toBe(row?.major);
    expect(await one("SELECT pg_control_version FROM pg_control_system()")).toBe(row?.controlFile.controlVersion);
    expect(await one("SELECT catalog_version_no FROM pg_control_system()")).toBe(row?.controlFile.catalogVersion);
    expect(row?.controlFile.crcOffset).toBe(await crcOffset(cluster));
  });

  test("the pages and records of its WAL", async () => {
    const names = await completeSegments(cluster);
    const segment = await readFile(join(cluster.dataDir, "pg_wal", names.at(-1) ?? ""));
    expect(readWalPageHeader(segment)).toMatchObject({ magic: row?.wal.pageMagic, pgMajor: installation.major });
    expect(await one("SELECT max(rm_id) FROM pg_get_wal_resource_managers() WHERE rm_builtin")).toBe(
      row?.wal.lastResourceManager,
    );
    await cluster.query("CHECKPOINT");
    const { records, scanner } = await scanSegments(cluster, await completeSegments(cluster));
    expect(scanner.end).toBeUndefined();
    const { checkpointLsn, checkpointTime, nextXid } = readControlFile(
      await readFile(join(cluster.dataDir, "global/pg_control")),
    );
    expect(records.find(({ lsn }) => lsn === checkpointLsn)).toMatchObject({
      kind: "checkpoint",
      time: checkpointTime,
      nextXid: BigInt(nextXid),
    });
    expect(checkpointTime).toBe(
      BigInt(String(await one("SELECT extract(epoch FROM checkpoint_time)::bigint FROM pg_control_checkpoint()"))) *
        1_000_000n,
    );
  });

  test("the place of reltoastrelid in pg_class", async () => {
    const sum = await one(
      `SELECT sum(attlen)::int FROM pg_attribute WHERE attrelid = 'pg_class'::regclass AND attnum > 0
         AND attnum < (SELECT attnum FROM pg_attribute WHERE attrelid = 'pg_class'::regclass AND attname = 'reltoastrelid')`,
    );
    expect(sum).toBe(row?.classToastOffset);
  });

  test("how it prints an LSN", async () => {
    expect(await one("SELECT pg_lsn('0/28')::text")).toBe(`0/${"28".padStart(row?.lsnLowDigits ?? 0, "0")}`);
  });

  test("the version of its manifest, and whether that names the cluster", async () => {
    await using connection = await connectReplication(cluster.connection);
    const chunks: Buffer[] = [];
    for await (const event of baseBackup(connection, { label: "manifest", checkpoint: "fast" }))
      if (event.type === "manifest") chunks.push(event.chunk);
    const { version, systemIdentifier } = parseBackupManifest(Buffer.concat(chunks));
    expect(version).toBe(row?.manifestVersion);
    expect(systemIdentifier === undefined).toBe(version === 1);
  });

  test("where its access rules lie", async () => {
    const rows = await cluster.query<{ name: string }>(
      `SELECT name FROM pg_settings WHERE category = 'File Locations' AND name LIKE '%\\_file'
         AND name NOT IN ('config_file', 'external_pid_file') ORDER BY name`,
    );
    expect(rows.map(({ name }) => name)).toEqual(row?.accessFileSettings);
  });

  test("what it can do", async () => {
    const hasSetting = (name: string) => one(`SELECT count(*) = 1 FROM pg_settings WHERE name = '${name}'`);
    expect({
      accessIncludes: await one(
        "SELECT 'file_name' = ANY (proargnames) FROM pg_proc WHERE proname = 'pg_hba_file_rules'",
      ),
      walSummaries: await hasSetting("summarize_wal"),
      loginEventTriggers: await hasSetting("event_triggers"),
      slotsOfStandbys: await hasSetting("synchronized_standby_slots"),
      promoteTriggerFile: await hasSetting("promote_trigger_file"),
      // The cluster was made without a word about them.
      checksumsByDefault: (await one("SELECT current_setting('data_checksums')")) === "on",
    }).toEqual(row?.features);
  });
});

/** Behind the checksum there are only zeros, up to the end of the file. */
async function crcOffset({ dataDir }: TestCluster): Promise<number> {
  const bytes = await readFile(join(dataDir, "global/pg_control"));
  return bytes.findLastIndex((byte) => byte !== 0) & ~3;
}
