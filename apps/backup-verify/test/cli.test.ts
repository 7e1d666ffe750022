import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { claimRepository } from "@soar/repository";
import { listLeases } from "@soar/repository/markers";
import { openStore, readObject, type ObjectStore } from "@soar/storage";
import {
  fillSampleRepository,
  keysOf,
  replaceObject,
  segmentKey,
  SEGMENT_SIZE,
  SYSTEM_IDENTIFIER,
} from "@soar-tooling/sample-repository";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const BIN = fileURLToPath(new URL("../bin/soar-backup-verify.js", import.meta.url));
/** Of today: the age of a backup is a finding. */
const LABEL = new Date().toISOString().slice(0, 10);
const ARCHIVE = `base/${LABEL}/backup.tar.gz`;

let directory: string;
/** Of the repository, below it. */
let bucket: string;
let store: ObjectStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-verify-cli-"));
  bucket = join(directory, "bucket");
  mkdirSync(bucket);
  store = openStore({ url: `file://${bucket}` });
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

function run(args: readonly string[], env: Record<string, string> = {}): Outcome {
  const base = {
    PATH: process.env["PATH"] ?? "",
    HOME: directory,
    COLUMNS: "80",
    SOAR_REQUIRE_ENDPOINT: "1",
    BACKUP_BUCKET: `file://${bucket}`,
    BACKUP_VERIFY_STATE_DIR: join(directory, "state"),
  };
  return spawnSync(process.execPath, ["--", BIN, ...args], { encoding: "utf8", env: { ...base, ...env } });
}

const flip = (at: number) => (bytes: Buffer) => (bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at), bytes);
const parsed = ({ stdout }: Outcome) =>
  JSON.parse(stdout) as { findings: { kind: string }[]; readBytes: number; backups: object[]; wal: object };

test("--help fits into 80 columns and tells the statuses", () => {
  const { status, stdout, stderr } = run(["--help"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(stdout).toMatch(/Exit status 0: nothing is wrong; 6:/);
  expect(stdout).toMatchSnapshot();
});

test("--version names the program", () => {
  expect(run(["--version"])).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^soar-backup-verify \d+\.\d+\.\d+\n?$/),
    stderr: "",
  });
});

test("an unknown option is refused with the one that was meant", () => {
  expect(run(["--bukket", "x"])).toMatchObject({
    status: 64,
    stdout: "",
    stderr: expect.stringMatching(/^error: .*'--bukket'.*\nhint: Did you mean '--bucket'\?/),
  });
});

describe("a repository", () => {
  test("that is healthy gives 0, one line in the log, a report for programs, and metrics", async () => {
    await fillSampleRepository(store, { label: LABEL });
    const metrics = join(directory, "verify.prom");
    const json = run(["--json"], { BACKUP_VERIFY_METRICS_FILE: metrics });
    expect(json.status, json.stderr).toBe(0);
    expect(parsed(json)).toMatchObject({
      version: 1,
      findings: [],
      backups: [{ label: LABEL, kind: "full", read: "full" }],
      wal: { segments: 8, read: 7 },
      durationMs: expect.any(Number),
      repository: { systemIdentifier: SYSTEM_IDENTIFIER },
      window: { timelines: [{ timeline: 2, ranges: [{ backups: [LABEL] }] }, { timeline: 1 }] },
      egress: expect.arrayContaining([{ provider: "Wasabi", dollars: expect.any(Number) }]),
    });
    expect(json.stderr).toMatch(/verification passed: 1 backups and 8 WAL segments/);
    expect(readFileSync(metrics, "utf8")).toMatch(
      /\nbackup_verify_last_run_failed\{level="sample"\} 0\n[^]*\nbackup_verify_last_success_timestamp_seconds\{level="sample"\} \d+[^]*\nbackup_verify_findings\{level="sample",severity="error"\} 0\n/,
    );
    const words = run([LABEL]).stdout;
    expect(words).toMatch(/nothing was found wrong$/m);
    expect(words).toMatch(/timeline 2: every instant from .* can be restored, with \d{4}-/);
    expect(await listLeases(store)).toEqual([]);
  });

  test("with one flipped bit gives 5, in words, for programs, in backup.log, in the metrics and by mail", async () => {
    await fillSampleRepository(store, { label: LABEL });
    const [metrics, mail, sendmail] = ["verify.prom", "mail.txt", "sendmail"].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(sendmail, `#!/bin/sh\ncat > '${mail}'\n`, { mode: 0o755 });
    const settings = {
      BACKUP_VERIFY_METRICS_FILE: metrics,
      BACKUP_LOG_DIR: directory,
      BACKUP_NOTIFY_EMAIL: "dba@example.com",
      BACKUP_SENDMAIL: sendmail,
    };
    expect(run([], settings).status).toBe(0);
    await replaceObject(store, ARCHIVE, flip(5000));
    const words = run([], settings);
    expect(words.status).toBe(5);
    expect(words.stdout).toMatch(
      new RegExp(
        `^error: ${ARCHIVE}: bytes \\d+ to \\d+ are not what was recorded, which hold .* \\(object-damaged\\)\n {2}\\S`,
      ),
    );
    expect(words.stderr).toMatch(new RegExp(`error: verification failed: 1 error, first '${ARCHIVE}'`));
    expect(readFileSync(join(directory, "backup.log"), "utf8")).toMatch(
      /verification passed[^]*verification failed: 1 error/,
    );
    expect(readFileSync(metrics, "utf8")).toMatch(
      /\nbackup_verify_last_run_failed\{level="sample"\} 1\n[^]*\nbackup_verify_last_success_timestamp_seconds\{level="sample"\} \d+[^]*\nbackup_verify_findings\{level="sample",severity="error"\} 1\n/,
    );
    expect(readFileSync(mail, "utf8")).toMatch(
      /^Subject: .*: backup verification failed$[^]*verification failed: 1 error[^]*\(object-damaged\)/m,
    );
    const json = run(["--json"]);
    expect(json.status).toBe(5);
    expect(parsed(json).findings).toMatchObject([
      { kind: "object-damaged", severity: "error", where: ARCHIVE, advice: expect.stringMatching(/\.$/) },
    ]);
    // A look at the listings, or at another backup, takes no alarm back.
    const alarms = () =>
      readFileSync(metrics, "utf8").match(
        /^backup_verify_(?:last_run_failed|findings\{level="\w+",severity="error").*$/gm,
      );
    expect(run(["--level", "stored"], settings)).toMatchObject({ status: 5, stdout: expect.stringContaining(ARCHIVE) });
    expect(run(["--level", "quick"], settings).status).toBe(0);
    expect(run([LABEL], settings).status).toBe(5);
    expect(alarms()).toEqual([
      'backup_verify_last_run_failed{level="quick"} 0',
      'backup_verify_last_run_failed{level="sample"} 1',
      'backup_verify_last_run_failed{level="stored"} 1',
      'backup_verify_findings{level="quick",severity="error"} 0',
      'backup_verify_findings{level="sample",severity="error"} 1',
      'backup_verify_findings{level="stored",severity="error"} 1',
    ]);
  });

  test("with nothing lost, but something to look at, gives 6", async () => {
    await fillSampleRepository(store, { label: LABEL });
    await store.put(`base/${LABEL}/notes.txt`, Buffer.from("hello"));
    expect(run(["--level", "quick"])).toMatchObject({
      status: 6,
      stderr: expect.stringContaining("error: verification needs attention: 1 warning"),
    });
  });

  test("without a backup gives 5", async () => {
    await claimRepository(
      store,
      { systemIdentifier: SYSTEM_IDENTIFIER, postgresMajor: 15, walSegmentSize: SEGMENT_SIZE },
      { toolVersion: "test", now: new Date(0) },
    );
    expect(run([])).toMatchObject({
      status: 5,
      stdout: expect.stringContaining("there is no complete backup (no-backup)"),
    });
  });

  test("that cannot be looked at is neither healthy nor damaged, and backup.log says so", async () => {
    await fillSampleRepository(store, { label: LABEL });
    expect(run(["2025-01-09"])).toMatchObject({
      status: 65,
      stdout: "",
      stderr: expect.stringContaining(`There are: ${LABEL}.`),
    });
    expect(run([], { BACKUP_BUCKET: `file://${directory}/none`, BACKUP_LOG_DIR: directory })).toMatchObject({
      status: 36,
      stdout: "",
    });
    expect(readFileSync(join(directory, "backup.log"), "utf8")).toContain(
      "verification failed: it could not look everywhere",
    );
    expect(run([], { BACKUP_BUCKET: `file://${bucket}/wal` })).toMatchObject({ status: 60, stdout: "" });
    expect(run([], { BACKUP_BUCKET: "" })).toMatchObject({ status: 10, stdout: "" });
    const unreachable = {
      BACKUP_BUCKET: "s3://soar-test/p",
      AWS_ENDPOINT_URL: "http://127.0.0.1:9",
      AWS_ACCESS_KEY_ID: "a",
      AWS_SECRET_ACCESS_KEY: "b",
      BACKUP_RETRY_DEADLINE: "1s",
    };
    expect(run([], unreachable)).toMatchObject({ status: 30, stdout: "" });
  });
});

describe("a sample", () => {
  test("reads what was read longest ago, remembers it outside of the bucket, and gets around in as many runs as it says", async () => {
    await fillSampleRepository(store, { label: LABEL });
    // Damage in one place: found by one of the runs that read everything once, and by every run from then on.
    const whole = await readObject(store, segmentKey(5));
    await replaceObject(store, segmentKey(5), flip(200));
    const keys = await keysOf(store);
    const runs = Array.from({ length: 8 }, () => run(["--sample", "25%", "--json"]));
    const statuses = runs.map(({ status }) => status);
    expect(statuses.indexOf(5)).toBeLessThan(4);
    expect(statuses.slice(statuses.indexOf(5))).toEqual(Array.from({ length: 8 - statuses.indexOf(5) }, () => 5));
    await replaceObject(store, segmentKey(5), () => whole);
    expect(Array.from({ length: 5 }, () => run(["--sample", "25%"]).status)).toEqual([0, 0, 0, 0, 0]);
    for (const each of runs) expect(parsed(each).readBytes).toBeGreaterThan(0);
    expect(await keysOf(store)).toEqual(keys);
    expect(readdirSync(join(directory, "state"))).toEqual([expect.stringMatching(/^read-[0-9a-f]{16}\.txt$/)]);
  });

  test("without a directory that it can use is a warning, and with contradictions a refusal", async () => {
    await fillSampleRepository(store, { label: LABEL });
    writeFileSync(join(directory, "file"), "");
    expect(run(["--sample", "10%"], { BACKUP_VERIFY_STATE_DIR: join(directory, "file", "x") })).toMatchObject({
      status: 6,
      stdout: expect.stringContaining("(memory-unusable)"),
    });
    expect(run(["--sample", "10%", "--level", "full"])).toMatchObject({
      status: 64,
      stderr: expect.stringContaining("nothing to sample"),
    });
    expect(run(["--sample", "much"])).toMatchObject({
      status: 10,
      stderr: expect.stringContaining("'much' is no share"),
    });
    expect(existsSync(join(directory, "state"))).toBe(false);
  });
});
