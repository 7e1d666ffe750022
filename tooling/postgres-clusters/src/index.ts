export {
  postgresInstallations,
  postgresMajors,
  requireInstallation,
  type PostgresInstallation,
} from "./postgres/installations.ts";
export {
  adoptTestCluster,
  createTestCluster,
  type AdoptOptions,
  type TestCluster,
  type TestClusterOptions,
} from "./postgres/test-cluster.ts";
export { type Row, type TestConnection } from "./postgres/cluster-query.ts";
export { type Settings } from "./postgres/initialize.ts";
export { aviationTrafficSql, loadAviationData, type AviationOptions, type RunSql } from "./aviation/aviation-data.ts";
export {
  databaseDigest,
  differingTables,
  type DatabaseDigest,
  type QueryRows,
  type TableDigest,
} from "./aviation/database-digest.ts";
