export { postgresInstallations, postgresMajors, requireInstallation, type PostgresInstallation } from "./postgres/installations.ts";
export { adoptTestCluster, createTestCluster, type AdoptOptions, type TestCluster, type TestClusterOptions } from "./postgres/test-cluster.ts";
export { type Row, type TestConnection } from "./postgres/cluster-query.ts";
export { type Settings } from "./postgres/initialize.ts";
export { type ProgramOptions, type ProgramResult } from "./postgres/run-program.ts";
export { serverUser, type ServerUser } from "./postgres/server-user.ts";
