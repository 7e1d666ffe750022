export {
  postgresInstallations,
  postgresMajors,
  requireInstallation,
  TESTED_MAJORS,
  type PostgresInstallation,
} from "./postgres/installations.ts";
export { adoptTestCluster, createTestCluster, type TestCluster } from "./postgres/test-cluster.ts";
export { type AdoptOptions, type Settings, type TestClusterOptions } from "./postgres/cluster-options.ts";
export { type Row, type TestConnection } from "./postgres/cluster-query.ts";
export { aviationTrafficSql, loadAviationData, type AviationOptions, type RunSql } from "./aviation/aviation-data.ts";
export {
  databaseDigest,
  differingTables,
  type DatabaseDigest,
  type QueryRows,
  type TableDigest,
} from "./aviation/database-digest.ts";
export { POSTGRES_NEEDS } from "./postgres/postgres-needs.ts";
export { tearRecord } from "./postgres/tear-record.ts";
