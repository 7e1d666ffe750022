import { confirmOptions, walCompressionOptions } from "@soar/app-kit";
import { databaseFormOptions } from "./rescue-options.ts";
import { directoryOptions, targetOptions } from "./target-options.ts";

/** What the `restore` command can be told. */
export const restoreOptions = {
  ...targetOptions,
  ...directoryOptions,
  ...confirmOptions,
  ...walCompressionOptions,
  ...databaseFormOptions,
  "target-action": {
    type: "choice",
    choices: ["promote", "pause", "shutdown"],
    default: "promote",
    group: "Target",
    help: "What the server does when it has reached the target.",
  },
  port: {
    type: "integer",
    min: 1,
    max: 65535,
    group: "Restore",
    unset: "that of its configuration",
    help: "Port of the restored server.",
  },
  owner: {
    type: "string",
    default: "postgres",
    group: "Restore",
    placeholder: "USER",
    help: "Who owns the files and runs the server, when this runs as root.",
  },
  "dry-run": { type: "boolean", default: false, group: "Restore", help: "Show the plan and stop." },
} as const;
