// Run a binary.
export { favourLargeBuffers } from "./run/favour-large-buffers.ts";
export { runApp } from "./run/run-app.ts";
export { collectGarbage } from "./run/collect-garbage.ts";
export { endWithin } from "./run/end-within.ts";
export { abandonThreads } from "./run/exit-process.ts";
export { defineCommand, type CommandContext, type CommandDefinition } from "./options/command.ts";

// Options.
export type { Config, OptionRow, OptionTable } from "./options/option-table.ts";
export { confirmOptions } from "./options/confirm.ts";
export { storageOptions } from "./options/storage-options.ts";
export { postgresOptions } from "./options/postgres-options.ts";
export {
  backupCompressionOptions,
  jobsOptions,
  retentionOptions,
  tempOptions,
  timezoneOptions,
  walCompressionOptions,
} from "./options/backup-options.ts";

// Tell what a run came to.
export { notify } from "./tell/notify.ts";
export { isWebhookProxied } from "./tell/post-to-webhook.ts";
export { tellEach } from "./tell/tell-each.ts";
export { notifyOptions } from "./options/notify-options.ts";

// What options lead to.
export { openConfiguredStore, storeConfigOf } from "./connect/open-configured-store.ts";
export { handOnStorage, type HandedStorage } from "./connect/hand-on-storage.ts";
export { serverConnection } from "./connect/server-connection.ts";
export { findServerUser } from "./connect/find-server-user.ts";
export { findScratchPlace } from "./connect/scratch-place.ts";

// Print and log.
export { formatTable, wrapText } from "./screen/table.ts";
export { visibleJson, visibleLine } from "./screen/visible.ts";
export { formatDuration, formatRate, formatSize } from "./screen/measures.ts";
export type { Log } from "./screen/log.ts";
export type { Output } from "./screen/output.ts";
export type { Progress } from "./screen/progress.ts";

// Times.
export { formatInstant, parseInstant } from "./screen/instant.ts";

// Documentation.
export type { AppDescription } from "./options/describe-app.ts";
