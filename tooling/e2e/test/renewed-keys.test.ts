import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startS3Server } from "@soar-tooling/s3-server";
import { runProgram, writeEnvFile } from "@soar-tooling/test-bench";
import { expect, onTestFinished, test } from "vitest";

const BIN = fileURLToPath(new URL("../../../node_modules/.bin", import.meta.url));
const DENIED = 32;

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  expiresAt?: number;
}

const keysOf = (name: string): Keys => ({
  accessKeyId: `KEY${name}`,
  secretAccessKey: `secret-${name}`,
  sessionToken: `token-${name}`,
});

test.each<readonly [program: string, words: string]>([
  ["soar-base-backup", "list"],
  ["soar-base-backup", "list --cost"],
  ["soar-base-backup", "expire --dry-run"],
  ["soar-base-backup", "expire --yes"],
  ["soar-base-backup", "keep 2025-01-05"],
  ["soar-base-backup", "unkeep 2025-01-05"],
  ["soar-backup-verify", ""],
  ["soar-backup-verify", "drill"],
  ["soar-backup-verify", "doctor"],
  ["soar-restore", "list"],
  ["soar-restore", "plan --latest --data-dir data"],
  ["soar-restore", "--dry-run --latest --data-dir data"],
  ["soar-restore", "table public.t --database d --output t.sql"],
  ["soar-restore", "database --database d --target-database e --latest"],
  ["soar-restore", "wal-fetch --plan plan 00000002.history pg_wal/RECOVERYHISTORY"],
  ["soar-wal-archive", "gap list"],
  ["soar-wal-archive", "status --data-dir data"],
  ["soar-wal-archive", "pg_wal/00000002.history 00000002.history"],
])("keys that are renewed in the env file while '%s %s' runs are taken up", async (program, words) => {
  const directory = mkdtempSync(join(tmpdir(), "soar-renewed-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const [first, second] = [keysOf("1"), keysOf("2")];
  const s3 = await startS3Server({ bucket: "soar-renewed", credentials: [first, second] });
  onTestFinished(() => s3.close());
  const envFile = join(directory, "backup-env");
  const write = ({ accessKeyId, secretAccessKey, sessionToken }: Keys): void =>
    writeEnvFile(envFile, {
      BACKUP_BUCKET: "s3://soar-renewed/one",
      AWS_ENDPOINT_URL: s3.endpoint,
      AWS_DEFAULT_REGION: s3.region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: sessionToken,
      BACKUP_TEMP_DIR: directory,
      BACKUP_SPOOL_DIR: join(directory, "spool"),
      BACKUP_REPORT_DIR: join(directory, "reports"),
    });
  write(first);
  for (const name of ["pg_wal", "data", "data/pg_wal", "data/pg_wal/archive_status"]) mkdirSync(join(directory, name));
  writeFileSync(join(directory, "pg_wal/00000002.history"), "1\t0/401000\tno recovery target specified\n");
  const plan = { format: 1, timeline: 2, systemIdentifier: "1", segmentSize: 1024 ** 2, firstIndex: 1, segments: [] };
  writeFileSync(join(directory, "plan"), JSON.stringify(plan));
  const held = s3.inject({ fault: { type: "stall" } });
  const running = runProgram([join(BIN, program), "--env-file", envFile, ...words.split(" ").filter(Boolean)], {
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "", HOME: directory },
    mayFail: true,
  });
  const early = await Promise.race([held.firstHit, running]);
  expect(early, JSON.stringify(early)).toBeUndefined();
  write(second);
  first.expiresAt = 0;
  held.release();
  const { status, stderr } = await running;
  expect(status, stderr).not.toBe(DENIED);
  expect(s3.requests.at(-1)?.accessKeyId, stderr).toBe(second.accessKeyId);
});
