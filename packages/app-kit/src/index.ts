// Run a binary.
export { favourLargeBuffers } from "./favour-large-buffers.ts";
export { runApp } from "./run-app.ts";
export {
  defineCommand,
  type App,
  type Command,
  type CommandContext,
  type CommandDefinition,
  type Failure,
} from "./command.ts";

// Options.
export type { Config, OptionRow, OptionTable } from "./option-table.ts";
export { confirmOptions, type Confirm } from "./confirm.ts";
export { storageOptions } from "./storage-options.ts";
export { postgresOptions } from "./postgres-options.ts";
export {
  backupCompressionOptions,
  backupOptions,
  jobsOptions,
  retentionOptions,
  tempOptions,
  timezoneOptions,
  walCompressionOptions,
} from "./backup-options.ts";

// Tell what a run came to.
export { notify, type Notification } from "./notify.ts";
export { notifyOptions } from "./notify-options.ts";
export { writeMetricsFile, type Metric } from "./metrics-file.ts";

// What options lead to.
export { openConfiguredStore, storeConfigOf } from "./open-configured-store.ts";
export { serverConnection, type ServerConnection } from "./server-connection.ts";
export { findServerUser } from "./find-server-user.ts";
export { findScratchPlace } from "./scratch-place.ts";

// Print and log.
export { formatTable, wrapText, type TableColumn } from "./table.ts";
export { formatDuration, formatRate, formatSize, parseDuration, parseSize } from "./measures.ts";
export type { Log } from "./log.ts";
export type { Output } from "./output.ts";
export type { Progress } from "./progress.ts";

// Times.
export { formatInstant, parseInstant } from "./instant.ts";

// Documentation.
export type { AppDescription } from "./describe-app.ts";
