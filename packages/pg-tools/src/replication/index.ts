// Connections to a server: SQL, the replication protocol, BASE_BACKUP, START_REPLICATION.

export { quoteIdentifier, quoteLiteral } from "./quote-sql.ts";
export { libpqEnvironment, type LibpqEnvironment, openLibpqEnvironment } from "./libpq-environment.ts";
export { findServerUser } from "./connect-as-server.ts";
export { type ConnectionConfig, serverLocation } from "./connection-config.ts";
export { connectSql, type ConnectSqlOptions, type SqlConnection } from "./sql-connection.ts";
export { serverAnswerOf } from "./server-failure.ts";
export { connectSomewhere, findSuperuser, type SuperuserOptions } from "./connect-somewhere.ts";
export {
  readServerFacts,
  readSubscriptions,
  RECOVERY_PARAMETERS,
  type RecoveryParameter,
  type ServerFacts,
} from "./server-facts.ts";
export { connectReplication, type ReplicationConnection, type ReplicationOptions } from "./replication-connection.ts";
export {
  createPhysicalSlot,
  dropReplicationSlot,
  identifySystem,
  readReplicationSlot,
  type ReplicationSlot,
  showSetting,
  type SystemIdentity,
  timelineHistory,
} from "./replication-commands.ts";
export { readArchiverState, type ArchiverState } from "./archiver-state.ts";
export { baseBackup } from "./base-backup.ts";
export type { BackupTablespace, BaseBackupEvent } from "./base-backup-stream.ts";
export type { BaseBackupOptions } from "./base-backup-command.ts";
export { DamageCollector, type DamageReport, holdsData, passedOver } from "./damaged-pages.ts";
export { streamWal, type StreamWalOptions, type WalStream, type WalStreamEvent } from "./stream-wal.ts";
