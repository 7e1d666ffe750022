import type { OptionTable } from "./option-table.ts";

/** Who is told what a long run came to. */
export const notifyOptions = {
  "notify-email": {
    env: "BACKUP_NOTIFY_EMAIL",
    type: "list",
    group: "Notification",
    unset: "nobody",
    example: "dba@example.com",
    help: "Mail addresses that are told the outcome.",
  },
  "notify-slack-webhook": {
    env: "BACKUP_NOTIFY_SLACK_WEBHOOK",
    type: "url",
    schemes: ["https", "http"],
    flag: false,
    secret: true,
    group: "Notification",
    unset: "nobody",
    example: "https://hooks.slack.com/services/...",
    help: "Incoming webhook of Slack, or of what understands the same, that is told the outcome.",
  },
  "notify-on": {
    env: "BACKUP_NOTIFY_ON",
    type: "choice",
    choices: ["always", "failure"],
    default: "always",
    group: "Notification",
    help: "Tell every outcome, or failures only.",
  },
  sendmail: {
    env: "BACKUP_SENDMAIL",
    type: "string",
    placeholder: "FILE",
    default: "/usr/sbin/sendmail",
    group: "Notification",
    help: "Program that takes a mail on its standard input, with sendmail's options.",
  },
  "metrics-file": {
    env: "BACKUP_METRICS_FILE",
    type: "string",
    placeholder: "FILE",
    group: "Notification",
    unset: "no metrics",
    example: "/var/lib/prometheus/node-exporter/soar-base-backup.prom",
    help: "File for the textfile collector of Prometheus' node_exporter, replaced after every run.",
  },
} as const satisfies OptionTable;
