import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { formatExposition, sample } from "@soar/metrics";
import { expect, onTestFinished, test } from "vitest";
import { reportDrillOutcome } from "./tell-drill.ts";

type Telling = Parameters<typeof reportDrillOutcome>[0];

function place(sendmailStatus = 0) {
  const directory = mkdtempSync(join(tmpdir(), "soar-drill-outcome-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const sendmail = join(directory, "sendmail");
  writeFileSync(sendmail, `#!/bin/sh\ncat >> ${directory}/mail\nexit ${sendmailStatus}\n`, { mode: 0o755 });
  const errors: string[] = [];
  const config = {
    notifyEmail: ["dba@example.com"],
    notifySlackWebhook: undefined,
    notifyOn: "failure",
    sendmail,
    metricsFile: join(directory, "x.prom"),
  };
  const telling = { config, log: { error: (line: string) => errors.push(line) } } as unknown as Telling;
  return {
    telling,
    errors,
    mail: () => readFileSync(join(directory, "mail"), "utf8"),
    metricsFile: config.metricsFile,
    metrics: () => readFileSync(join(directory, "x.prom"), "utf8"),
  };
}

const missing = new SoarError("BACKUP_MISSING", "there is no backup", { hint: "Take one." });
const fail = (): Promise<never> => Promise.reject(missing);

test("a drill that could not begin is told with reason and hint, and shows in the metrics", async () => {
  const { telling, mail, metrics } = place();
  await expect(reportDrillOutcome(telling, fail)).rejects.toBe(missing);
  expect(mail()).toMatch(/^Subject: .*: restore drill failed$[^]*there is no backup\nTake one\.\n$/m);
  expect(metrics()).toContain("\nbackup_drill_last_run_failed 1\n");
});

test("a drill that could not begin takes nothing away that an earlier one measured", async () => {
  const { telling, metricsFile, metrics } = place();
  const before = formatExposition("soar-backup-verify drill", [
    sample("backup_drill_last_success_timestamp_seconds", 1736042400),
    sample("backup_drill_rto_seconds", 77),
    sample("backup_drill_last_run_failed", 0),
  ]);
  writeFileSync(metricsFile, before);
  await expect(reportDrillOutcome(telling, fail)).rejects.toBe(missing);
  expect(metrics().match(/^backup_drill_(?!last_run_timestamp).*$/gm)).toEqual([
    "backup_drill_last_success_timestamp_seconds 1736042400",
    "backup_drill_rto_seconds 77",
    "backup_drill_last_run_failed 1",
  ]);
});

test("a failure that cannot be told stays the failure, and the log says so", async () => {
  const { telling, errors, metrics } = place(75);
  await expect(reportDrillOutcome(telling, fail)).rejects.toBe(missing);
  expect(errors).toEqual([expect.stringContaining("not everybody was told that the drill failed")]);
  expect(metrics()).toContain("\nbackup_drill_last_run_failed 1\n");
});
