// Both sides of restore_command, and the table of what it may deliver.

export { answerWalRequest, parseLineageTable, type LineageTable, type WalRequest } from "./lineage-table.ts";
export { ABSENT_STATUS, restoreCommand } from "./restore-command.ts";
export { fetchArchivedWal, type FetchArchivedWalOptions } from "./archived-wal.ts";
export { fetchWalFile } from "./wal-fetch.ts";
