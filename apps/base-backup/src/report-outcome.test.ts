import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import type { BackupRecord } from "@soar/repository";
import { expect, onTestFinished, test } from "vitest";
import { reportOutcome, summarize, type TakeContext } from "./report-outcome.ts";

const record = {
  label: "2025-01-05",
  kind: "full",
  stoppedAt: "2025-01-05T02:00:00.000Z",
  durationMs: 60_000,
  sizes: { database: 3e9, tar: 3e9, stored: 1e9, new: 1e9 },
  firstSegment: "a",
  lastSegment: "b",
  damagedPages: [],
} as unknown as BackupRecord;

function place(sendmailStatus = 0) {
  const directory = mkdtempSync(join(tmpdir(), "soar-outcome-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const sendmail = join(directory, "sendmail");
  writeFileSync(sendmail, `#!/bin/sh\ncat >> ${directory}/mail\nexit ${sendmailStatus}\n`);
  chmodSync(sendmail, 0o755);
  const errors: string[] = [];
  const config = {
    notifyEmail: ["dba@example.com"],
    notifySlackWebhook: undefined,
    notifyOn: "always",
    sendmail,
    metricsFile: join(directory, "x.prom"),
  };
  const context = { config, log: { error: (line: string) => errors.push(line) } } as unknown as TakeContext;
  return {
    context,
    errors,
    mail: () => readFileSync(join(directory, "mail"), "utf8"),
    metrics: () => readFileSync(join(directory, "x.prom"), "utf8"),
    metricsMode: () => statSync(join(directory, "x.prom")).mode & 0o777,
  };
}

const taken = (onRecord: (made: BackupRecord) => void): Promise<void> => Promise.resolve(onRecord(record));
const unreachable = new SoarError("SERVER_UNREACHABLE", "unable to connect to 'db'", { hint: "Start it." });

test("a backup is told with its sizes", async () => {
  const { context, mail, metrics } = place();
  await reportOutcome(context, taken);
  expect(mail()).toMatch(/Subject: .*: base backup 2025-01-05 completed\n/);
  expect(mail()).toContain("2025-01-05, full, 2.79 GiB in 1 min 00 s");
  expect(metrics()).toContain("\nbackup_base_last_success_timestamp_seconds 1736042400\n");
  expect(metrics()).toContain("\nbackup_base_last_run_failed 0\n");
});

test("a failure is told with its hint, and the last success stays in the metrics", async () => {
  const { context, mail, metrics } = place();
  await reportOutcome(context, taken);
  await expect(reportOutcome(context, () => Promise.reject(unreachable))).rejects.toBe(unreachable);
  expect(mail()).toMatch(/base backup failed\n[^]*unable to connect to 'db'\nStart it\.\n$/);
  expect(metrics()).toContain("\nbackup_base_last_success_timestamp_seconds 1736042400\n");
  expect(metrics()).toContain("\nbackup_base_last_run_failed 1\n");
});

test("node_exporter may read the metrics, whatever the umask of the unit", async () => {
  const { context, metricsMode } = place();
  const before = process.umask(0o077);
  onTestFinished(() => void process.umask(before));
  await reportOutcome(context, taken);
  expect(metricsMode()).toBe(0o644);
});

test("what fails behind a complete backup says that the backup is there", async () => {
  const { context, mail, metrics } = place();
  const damaged = new SoarError("BACKUP_DAMAGED_PAGES", "damaged pages");
  await expect(
    reportOutcome(context, (onRecord) => {
      onRecord(record);
      return Promise.reject(damaged);
    }),
  ).rejects.toBe(damaged);
  expect(mail()).toMatch(/2025-01-05 needs attention\n[^]*The backup itself is complete/);
  expect(metrics()).toContain("\nbackup_base_last_size_bytes 3000000000\n");
});

test("what fails behind a complete backup ends in a way for which no service manager takes it again", async () => {
  const { context } = place();
  const busy = new SoarError("STORE_BUSY", "unable to list", { hint: "Wait." });
  const ended = reportOutcome(context, (onRecord) => {
    onRecord(record);
    return Promise.reject(busy);
  });
  await expect(ended).rejects.toMatchObject({
    code: "BACKUP_UNFOLLOWED",
    message: expect.stringMatching(/^backup '2025-01-05' is complete, but .*: unable to list$/),
    hint: "Wait.",
  });
});

test("a success that cannot be told fails the run; a failure that cannot be told stays the failure, and the log says so", async () => {
  const { context, errors } = place(75);
  await expect(reportOutcome(context, taken)).rejects.toMatchObject({
    code: "BACKUP_UNFOLLOWED",
    cause: expect.objectContaining({ code: "PROGRAM_FAILED" }),
  });
  await expect(reportOutcome(context, () => Promise.reject(unreachable))).rejects.toBe(unreachable);
  expect(errors).toEqual([expect.stringContaining("not everybody was told that the backup failed")]);
});

test("mail goes out although the metrics cannot be written, and the metrics although mail fails", async () => {
  const blind = place();
  const unwritable = { ...blind.context.config, metricsFile: "/proc/no/x.prom" };
  const context: TakeContext = { ...blind.context, config: unwritable };
  await expect(reportOutcome(context, () => Promise.reject(unreachable))).rejects.toBe(unreachable);
  expect(blind.mail()).toMatch(/base backup failed/);
  expect(blind.errors).toEqual([expect.stringContaining("/proc/no")]);
  const mute = place(75);
  await expect(reportOutcome(mute.context, taken)).rejects.toMatchObject({ code: "BACKUP_UNFOLLOWED" });
  expect(mute.metrics()).toContain("\nbackup_base_last_run_failed 0\n");
});

test("the rate of a backup is that of what was read", () => {
  expect(summarize(record)).not.toContain("unread");
  const { sizes } = record;
  const most = { ...record, sizes: { ...sizes, unread: sizes.database - 10 * record.durationMs } };
  expect(summarize(most)).toMatch(/, of which .* were left unread, in .* \(9\.77 KiB\/s\)/);
});
