import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatWalSegment, lsnOfSegmentIndex } from "@soar/pg-tools";
import { backupKey, claimRepository, putBackupRecord, putWalFile, sha256Hex } from "@soar/repository";
import { openStore, readObject, type ObjectStore } from "@soar/storage";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const BIN = fileURLToPath(new URL("../bin/soar-backup-verify.js", import.meta.url));
const SEGMENT_SIZE = 1024 * 1024;
const SYSTEM_IDENTIFIER = "7551234567890123456";
const LABEL = "2025-01-05";
const DATA = Buffer.from("the data directory");

let directory: string;
let store: ObjectStore;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "soar-verify-cli-"));
  store = openStore({ url: `file://${directory}` });
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], env: Record<string, string> = { BACKUP_BUCKET: `file://${directory}` }): Outcome {
  return spawnSync(process.execPath, ["--", BIN, ...args], { encoding: "utf8", env: { PATH: process.env["PATH"] ?? "", HOME: directory, COLUMNS: "80", SOAR_REQUIRE_ENDPOINT: "1", ...env } });
}

/** One backup, and the one segment that it needs. */
async function fillRepository(): Promise<void> {
  const name = formatWalSegment({ timeline: 1, index: 3 }, SEGMENT_SIZE);
  const segment = Buffer.alloc(SEGMENT_SIZE, 3);
  segment.fill(0, 0, 40);
  segment.writeUInt32LE(0x0002_d110, 0);
  segment.writeUInt32LE(1, 4);
  segment.writeBigUInt64LE(lsnOfSegmentIndex(3, SEGMENT_SIZE), 8);
  segment.writeBigUInt64LE(BigInt(SYSTEM_IDENTIFIER), 24);
  segment.writeUInt32LE(SEGMENT_SIZE, 32);
  segment.writeUInt32LE(8192, 36);
  await claimRepository(store, { systemIdentifier: SYSTEM_IDENTIFIER, postgresMajor: 15, walSegmentSize: SEGMENT_SIZE }, { toolVersion: "test", now: new Date("2025-01-05T02:00:00Z") });
  await putWalFile(store, { name, size: segment.length, sha256: sha256Hex(segment), async *open() { yield segment; } }, { codec: "zstd" });
  await store.put(backupKey(LABEL, "backup.tar.gz"), DATA);
  await putBackupRecord(store, {
    format: 1,
    label: LABEL,
    kind: "full",
    references: [],
    systemIdentifier: SYSTEM_IDENTIFIER,
    postgresVersion: 150_018,
    walSegmentSize: SEGMENT_SIZE,
    timeline: 1,
    startLsn: "0/300028",
    stopLsn: "0/300100",
    checkpointLsn: "0/300060",
    firstSegment: name,
    lastSegment: name,
    startedAt: `${LABEL}T02:00:00.000Z`,
    stoppedAt: `${LABEL}T02:01:00.000Z`,
    durationMs: 60_000,
    sizes: { database: 1, tar: 1, stored: 1, new: 1 },
    codec: "gzip",
    chunkSize: 262_144,
    source: { method: "replication", fromStandby: false, host: "h", dataDirectory: "/data" },
    dataChecksums: true,
    settings: {},
    databases: [],
    tablespaces: [],
    archives: [],
    objects: [{ name: "backup.tar.gz", size: DATA.length, sha256: sha256Hex(DATA) }],
    index: { members: [] },
    damagedPages: [],
    createdBy: "test",
  });
}

async function flipBit(): Promise<void> {
  const key = backupKey(LABEL, "backup.tar.gz");
  const bytes = await readObject(store, key);
  bytes.writeUInt8(bytes.readUInt8(5) ^ 1, 5);
  await store.remove([key]);
  await store.put(key, bytes);
}

test("--help fits into 80 columns and tells the statuses", () => {
  const { status, stdout, stderr } = run(["--help"], {});
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(stdout).toMatch(/Exit status 0: nothing was found; 5: something was;/);
  expect(stdout).toMatchSnapshot();
});

test("--version names the program", () => {
  expect(run(["--version"])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^soar-backup-verify \d+\.\d+\.\d+\n?$/), stderr: "" });
});

test("an unknown option is refused with the one that was meant", () => {
  expect(run(["--bukket", "x"])).toMatchObject({ status: 64, stdout: "", stderr: expect.stringMatching(/^error: .*'--bukket'.*\nhint: Did you mean '--bucket'\?/) });
});

describe("a repository", () => {
  test("that is healthy gives 0, one line in the log, and a report for programs", async () => {
    await fillRepository();
    const { status, stdout, stderr } = run(["--json"]);
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, findings: [], backups: [LABEL], segments: 1, bytes: expect.any(Number), durationMs: expect.any(Number), repository: { systemIdentifier: SYSTEM_IDENTIFIER } });
    expect(stderr).toMatch(/verification passed: 1 backups and 1 WAL segments/);
    expect(run([LABEL]).stdout).toMatch(/nothing was found wrong/);
  });

  test("with one flipped bit gives 5, names it with what to do, in words and for programs", async () => {
    await fillRepository();
    await flipBit();
    const words = run([]);
    expect(words.status).toBe(5);
    expect(words.stdout).toMatch(/^error: base\/2025-01-05\/backup\.tar\.gz: the SHA-256 of its bytes is not the recorded one \(object-damaged\)\n {2}\S/);
    expect(words.stderr).toMatch(/error: verification failed: 1 findings, first 'base\/2025-01-05\/backup\.tar\.gz'/);
    const json = run(["--json"]);
    expect(json.status).toBe(5);
    expect(JSON.parse(json.stdout)).toMatchObject({ findings: [{ kind: "object-damaged", severity: "error", where: "base/2025-01-05/backup.tar.gz", advice: expect.stringMatching(/\.$/) }] });
  });

  test("without a backup gives 5", async () => {
    await claimRepository(store, { systemIdentifier: SYSTEM_IDENTIFIER, postgresMajor: 15, walSegmentSize: SEGMENT_SIZE }, { toolVersion: "test", now: new Date(0) });
    expect(run([])).toMatchObject({ status: 5, stdout: expect.stringContaining("there is no complete backup (no-backup)") });
  });

  test("that cannot be looked at is neither healthy nor damaged", async () => {
    await fillRepository();
    expect(run(["2025-01-09"])).toMatchObject({ status: 65, stdout: "", stderr: expect.stringContaining(`There are: ${LABEL}.`) });
    expect(run([], { BACKUP_BUCKET: `file://${directory}/none` })).toMatchObject({ status: 36, stdout: "" });
    expect(run([], { BACKUP_BUCKET: `file://${directory}/wal` })).toMatchObject({ status: 60, stdout: "" });
    expect(run([], {})).toMatchObject({ status: 10, stdout: "" });
    const unreachable = { BACKUP_BUCKET: "s3://soar-test/p", AWS_ENDPOINT_URL: "http://127.0.0.1:9", AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", BACKUP_RETRY_DEADLINE: "1s" };
    expect(run([], unreachable)).toMatchObject({ status: 30, stdout: "" });
  });
});
