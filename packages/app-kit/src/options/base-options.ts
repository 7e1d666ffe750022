import type { OptionTable } from "./option-table.ts";

/** Options that every command of every binary has. */
export const baseOptions = {
  "env-file": {
    env: "BACKUP_ENV_FILE",
    type: "string",
    placeholder: "FILE",
    group: "General",
    unset: "/etc/soar/backup-env, if there is one",
    help: 'File with the settings, lines of the form export NAME="value". Only its owner may have access to it.',
  },
  json: { type: "boolean", default: false, group: "General", help: "Print results as JSON." },
  "log-dir": {
    env: "BACKUP_LOG_DIR",
    type: "string",
    placeholder: "DIR",
    group: "General",
    unset: "no log file",
    example: "/var/log/soar",
    help: "Directory of backup.log, which gets every log line besides stderr.",
  },
  "log-level": {
    env: "BACKUP_LOG_LEVEL",
    type: "choice",
    choices: ["debug", "info", "warn", "error"],
    default: "info",
    group: "General",
    help: "Least important lines that are logged.",
  },
  "log-format": {
    env: "BACKUP_LOG_FORMAT",
    type: "choice",
    choices: ["text", "json"],
    default: "text",
    group: "General",
    help: "Form of log lines.",
  },
  "print-config": {
    type: "boolean",
    default: false,
    group: "General",
    help: "Print every setting with where it comes from, and do nothing else.",
  },
  help: { type: "boolean", short: "h", default: false, group: "General", help: "Print this help." },
  version: { type: "boolean", default: false, group: "General", help: "Print the version." },
} as const satisfies OptionTable;
