import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { putBackupRecord, type BackupRecord } from "@soar/repository";
import { openStore, type ObjectStore } from "@soar/storage";
import { fillSampleRepository, putSampleBackup } from "@soar-tooling/sample-repository";
import { startProgram } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, test } from "vitest";

const BIN = fileURLToPath(new URL("../bin/soar-backup-verify.js", import.meta.url));
const MIB = 2 ** 20;
/** Node itself and the program take about 110 MiB. */
const LARGEST_BYTES = 400 * 1e6;
const LABEL = "2025-02-01";

let root: string;
let store: ObjectStore;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "soar-hostile-verify-"));
  mkdirSync(join(root, "bucket"));
  store = openStore({ url: `file://${join(root, "bucket")}` });
  await fillSampleRepository(store);
});
afterEach(async () => {
  await store.close();
  rmSync(root, { recursive: true, force: true });
});

/** Replaces the manifest of the newest backup, as its record then says. */
async function plantManifest(bytes: Buffer): Promise<void> {
  const name = "backup_manifest";
  let record: BackupRecord | undefined;
  await putSampleBackup(store, { label: LABEL, first: 3, change: (made) => (record = made) });
  if (record === undefined) throw new Error("the sample has no record");
  await store.remove([`base/${LABEL}/${name}`, `base/${LABEL}/backup.json`]);
  await store.put(`base/${LABEL}/${name}`, bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const objects = record.objects.map((one) => (one.name === name ? { name, size: bytes.length, sha256 } : one));
  await putBackupRecord(store, { ...record, objects });
}

function manifestOf(files: number): Buffer {
  const lines = ['{ "PostgreSQL-Backup-Manifest-Version": 1,', '"Files": ['];
  for (let at = 0; at < files; at += 1)
    lines.push(`{ "Path": "${at}", "Size": 1, "Last-Modified": "2025-01-01" }${at + 1 < files ? "," : ""}`);
  lines.push("],", '"WAL-Ranges": [', '{ "Timeline": 1, "Start-LSN": "0/1", "End-LSN": "0/2" }', "],", "");
  const body = lines.join("\n");
  const checksum = createHash("sha256").update(body).digest("hex");
  return Buffer.from(`${body}"Manifest-Checksum": "${checksum}"}\n`);
}

test.each([
  [
    "lists a million files that the seek table has not",
    () => manifestOf(1_000_000),
    /it has \d+ files, the manifest 1000000/,
  ],
  ["is one line of 60 MB", () => Buffer.alloc(60 * MIB, 0x20), /a line has more than 65536 bytes/],
  [
    "is larger than the files of the seek table make it",
    () => Buffer.alloc(200 * MIB, 0x20),
    /none of its kind has so many/,
  ],
] as const)(
  "a verification of a manifest that %s tells it in little memory",
  { timeout: 120_000 },
  async (_, make, told) => {
    await plantManifest(make());
    const bucket = `file://${join(root, "bucket")}`;
    const program = startProgram(
      [process.execPath, "--", BIN, "verify", "--level", "quick", "--bucket", bucket, "--state-dir", root],
      { cwd: root, env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", COLUMNS: "200" } },
    );
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, peakOf(program.pid))), 20);
    const { status, stdout, stderr } = await program.result;
    clearInterval(watch);
    expect(status, stderr).toBe(5);
    expect(stdout).toMatch(told);
    expect(peak, stderr).toBeGreaterThan(0);
    expect(peak, stderr).toBeLessThan(LARGEST_BYTES);
  },
);

/** The most memory that the process has had at once, in bytes; 0 when it is gone. */
function peakOf(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
