import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32c } from "@node-rs/crc32";
import { createTestCluster, postgresMajors, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireMajor } from "../majors/find-major.ts";
import { parseLsn } from "../wal-names/lsn.ts";
import { CLUSTER_STATES, type ControlFile, readControlFile } from "./control-file.ts";

const settings = {
  max_connections: 37,
  max_worker_processes: 11,
  max_wal_senders: 7,
  max_prepared_transactions: 23,
  max_locks_per_transaction: 71,
  wal_level: "logical",
  wal_log_hints: true,
  track_commit_timestamp: true,
};

describe.each(postgresMajors())("pg_control of PostgreSQL $version", (installation) => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await createTestCluster({ installation, settings, initdbArgs: ["--wal-segsize=4", "--data-checksums"] });
  });
  afterAll(() => cluster.remove());

  const readIt = async (): Promise<ControlFile> =>
    readControlFile(await readFile(join(cluster.dataDir, "global/pg_control")));

  test("says what the server's own functions say", async () => {
    await cluster.query("CHECKPOINT");
    const control = await readIt();
    const [system, checkpoint, init, recovery] = await Promise.all(
      ["system", "checkpoint", "init", "recovery"].map(
        async (part) => (await cluster.query(`SELECT to_json(c)::text AS json FROM pg_control_${part}() c`))[0]?.json,
      ),
    ).then((texts) =>
      texts.map(
        (text) =>
          JSON.parse(String(text).replace(/"system_identifier":(\d+)/, '"system_identifier":"$1"')) as Record<
            string,
            unknown
          >,
      ),
    );

    expect(control).toMatchObject({
      pgMajor: installation.major,
      systemIdentifier: BigInt(String(system?.system_identifier)),
      controlVersion: system?.pg_control_version,
      catalogVersion: system?.catalog_version_no,
      state: "in-production",
      checkpointLsn: parseLsn(String(checkpoint?.checkpoint_lsn)),
      redoLsn: parseLsn(String(checkpoint?.redo_lsn)),
      timeline: checkpoint?.timeline_id,
      previousTimeline: checkpoint?.prev_timeline_id,
      fullPageWrites: checkpoint?.full_page_writes,
      nextXid: Number(String(checkpoint?.next_xid).split(":")[1]),
      nextMulti: Number(checkpoint?.next_multixact_id),
      nextMultiMember: Number(checkpoint?.next_multi_offset),
      blockSize: init?.database_block_size,
      blocksPerRelationFile: init?.blocks_per_segment,
      walBlockSize: init?.wal_block_size,
      walSegmentSize: init?.bytes_per_wal_segment,
      dataChecksumVersion: init?.data_page_checksum_version,
      minRecoveryLsn: parseLsn(String(recovery?.min_recovery_end_lsn)),
      minRecoveryTimeline: recovery?.min_recovery_end_timeline,
      backupStartLsn: parseLsn(String(recovery?.backup_start_lsn)),
      backupEndLsn: parseLsn(String(recovery?.backup_end_lsn)),
      backupEndRequired: recovery?.end_of_backup_record_required,
    });
    expect(control.checkpointTime).toBe(BigInt(Date.parse(String(checkpoint?.checkpoint_time))) * 1000n);
    expect(control.walSegmentSize).toBe(4 * 2 ** 20);
  });

  test("holds the settings that recovery depends on", async () => {
    expect(await readIt()).toMatchObject({
      maxConnections: 37,
      maxWorkerProcesses: 11,
      maxWalSenders: 7,
      maxPreparedTransactions: 23,
      maxLocksPerTransaction: 71,
      walLevel: "logical",
      walLogHints: true,
      trackCommitTimestamp: true,
      dataChecksumVersion: 1,
    });
  });

  test("knows a clean shutdown", async () => {
    await cluster.stop();
    const control = await readIt();
    expect(control.state).toBe("shut-down");
    expect(control.redoLsn).toBe(control.checkpointLsn);
    if (installation.programs.has("pg_controldata")) await compareWithControlData(cluster, control);
    await cluster.start();
  });

  test("is refused with any flipped bit, cut off, or of another version", async () => {
    const bytes = await readFile(join(cluster.dataDir, "global/pg_control"));
    for (const offset of [0, 16, 40, 252, 287]) {
      const damaged = Buffer.from(bytes);
      damaged[offset] = (damaged[offset] ?? 0) ^ 1;
      expect(() => readControlFile(damaged)).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
    }
    expect(() => readControlFile(bytes.subarray(0, 300))).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
    const older = Buffer.from(bytes);
    older.writeUInt32LE(1201, 8);
    expect(() => readControlFile(older)).toThrow(expect.objectContaining({ code: "SERVER_VERSION" }));
  });

  test("is refused when intact but from another machine, or in a state that does not exist", async () => {
    const bytes = await readFile(join(cluster.dataDir, "global/pg_control"));
    const { crcOffset, maxAlignOffset, floatFormatOffset } = requireMajor(installation.major).controlFile;
    for (const [offset, value] of [
      [maxAlignOffset, 4],
      [floatFormatOffset, 1],
      [16, CLUSTER_STATES.length],
    ] as const) {
      const altered = Buffer.from(bytes);
      altered.writeUInt32LE(value, offset);
      altered.writeUInt32LE(crc32c(altered.subarray(0, crcOffset)), crcOffset);
      expect(() => readControlFile(altered)).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
    }
  });
});

async function compareWithControlData(cluster: TestCluster, control: ControlFile): Promise<void> {
  const { stdout } = await cluster.runProgram("pg_controldata", ["-D", cluster.dataDir]);
  const line = (label: string): string => new RegExp(`^${label}:\\s*(.*)$`, "m").exec(stdout)?.[1] ?? "missing";
  expect(line("Database system identifier")).toBe(String(control.systemIdentifier));
  expect(line("Database cluster state")).toBe("shut down");
  expect(parseLsn(line("Latest checkpoint location"))).toBe(control.checkpointLsn);
  expect(parseLsn(line("Latest checkpoint's REDO location"))).toBe(control.redoLsn);
  expect(line("max_locks_per_xact setting")).toBe(String(control.maxLocksPerTransaction));
  expect(line("max_prepared_xacts setting")).toBe(String(control.maxPreparedTransactions));
  expect(line("Bytes per WAL segment")).toBe(String(control.walSegmentSize));
}
