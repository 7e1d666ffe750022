export { dumpDom, findChromium } from "./browser/headless-chromium.ts";
export {
  postgresInstallations,
  postgresMajors,
  requireInstallation,
  type PostgresInstallation,
} from "./postgres/installations.ts";
export { freePort } from "./postgres/free-port.ts";
export {
  adoptTestCluster,
  createTestCluster,
  type AdoptOptions,
  type TestCluster,
  type TestClusterOptions,
} from "./postgres/test-cluster.ts";
export { type Row, type TestConnection } from "./postgres/cluster-query.ts";
export { type Settings } from "./postgres/initialize.ts";
export { type ProgramOptions, type ProgramResult } from "./postgres/run-program.ts";
export { serverUser, type ServerUser } from "./postgres/server-user.ts";
export { startS3Server, type BucketOptions, type S3ServerOptions, type S3TestServer } from "./s3/start-s3-server.ts";
export { isS3Profile, PROFILES, type ProfileRules, type S3Profile } from "./s3/profiles.ts";
export { type S3Credential } from "./s3/credential.ts";
export { type Fault, type FaultRule, type InjectedFault } from "./s3/fault.ts";
export { countByOperation, type S3RequestLog } from "./s3/request-log.ts";
export { type StoredTestObject } from "./s3/stored-objects.ts";
export { type ControlSettings } from "./s3/control.ts";
export { type Policy, type PolicyStatement } from "./s3/policy.ts";
export { type OperationName } from "./s3/operation-names.ts";
export {
  startS3ServerProcess,
  type RemoteFault,
  type S3ServerProcess,
  type S3ServerProcessOptions,
} from "./s3/start-s3-server-process.ts";
export {
  createS3TestClient,
  type RawS3Request,
  type RawS3Response,
  type S3TestClient,
  type S3TestClientOptions,
} from "./s3/s3-test-client.ts";
export {
  startProxy,
  type ProxyConnection,
  type ProxyOptions,
  type ProxyTarget,
  type TestProxy,
} from "./proxy/start-proxy.ts";
export { type ActiveImpairment, type Direction, type Impairment, type ImpairmentRule } from "./proxy/impairment.ts";
export { aviationTrafficSql, loadAviationData, type AviationOptions, type RunSql } from "./aviation/aviation-data.ts";
export {
  databaseDigest,
  differingTables,
  type DatabaseDigest,
  type QueryRows,
  type TableDigest,
} from "./aviation/database-digest.ts";
export { mountSmallDisk, mountUponItself, type Mounted } from "./mounts/mount.ts";
export { parseExposition, type MetricFamily } from "./prometheus/parse-exposition.ts";
