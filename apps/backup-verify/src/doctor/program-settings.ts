import { hostname } from "node:os";
import { join } from "node:path";
import { isWebhookProxied, notify } from "@soar/app-kit";
import { askStatus, SOCKET_NAME } from "@soar/archive/client";
import type { ProgramSettings, TestNotice, WrittenPlace } from "@soar/verify";
import type { DoctorConfig } from "./doctor-options.ts";

/** What the env file tells all programs, for the doctor to look at. */
export function programSettings(
  config: DoctorConfig,
  { logDir }: { readonly logDir: string | undefined },
): ProgramSettings {
  const webhook = config.notifySlackWebhook;
  return {
    places: writtenPlaces(config, logDir),
    archiver: { socketPath: config.socket ?? join(config.spool, SOCKET_NAME), askStatus },
    drill: { sqlFile: config.drillSql, command: config.drillCommand },
    notices: {
      addresses: config.notifyEmail,
      sendmail: config.sendmail,
      webhook,
      isProxied: () => webhook !== undefined && isWebhookProxied(webhook, config),
      tests: config.sendTestNotice ? testNotices(config) : undefined,
    },
  };
}

function writtenPlaces(config: DoctorConfig, logDir: string | undefined): WrittenPlace[] {
  const rows = [
    ["log", "BACKUP_LOG_DIR", logDir, "backups, verifications and drills"],
    ["metrics", "BACKUP_ARCHIVER_METRICS_FILE", config.archiverMetricsFile, "soar-wal-archive"],
    ["metrics", "BACKUP_METRICS_FILE", config.backupMetricsFile, "soar-base-backup"],
    ["metrics", "BACKUP_VERIFY_METRICS_FILE", config.verifyMetricsFile, "soar-backup-verify"],
    ["metrics", "BACKUP_DRILL_METRICS_FILE", config.drillMetricsFile, "soar-backup-verify drill"],
    ["state", "BACKUP_VERIFY_STATE_DIR", config.verifyStateDir, "soar-backup-verify"],
    ["state", "BACKUP_DRILL_STATE_DIR", config.drillStateDir, "soar-backup-verify drill"],
  ] as const;
  return rows.flatMap(([kind, variable, path, writer]) =>
    path === undefined ? [] : [{ kind, variable, path, writer }],
  );
}

/** One for each way, so that it is told which of them does not work. */
function testNotices({ notifyEmail, notifySlackWebhook, ...config }: DoctorConfig): TestNotice[] {
  const nobody = { ...config, notifyEmail: [], notifySlackWebhook: undefined, notifyOn: "always" } as const;
  const test = {
    outcome: "failure",
    subject: `${hostname()}: test notice of soar-backup-verify doctor`,
    text: "This is a test: nothing failed. Failures of backups, verifications and drills arrive in the same way.",
  } as const;
  return [
    ...(notifyEmail.length === 0
      ? []
      : [{ way: `by mail to ${notifyEmail.join(", ")}`, send: () => notify({ ...nobody, notifyEmail }, test) }]),
    ...(notifySlackWebhook === undefined
      ? []
      : [{ way: "through the webhook", send: () => notify({ ...nobody, notifySlackWebhook }, test) }]),
  ];
}
