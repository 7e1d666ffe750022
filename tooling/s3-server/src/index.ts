export { startS3Server, type BucketOptions, type S3ServerOptions, type S3TestServer } from "./start-s3-server.ts";
export type { ProfileRules } from "./profile-rules.ts";
export { isS3Profile, PROFILES, type S3Profile } from "./profiles.ts";
export { createSelfSignedCertificate, type SelfSignedCertificate } from "./self-signed-certificate.ts";
export { type S3Credential } from "./credential.ts";
export { type Fault, type FaultRule, type InjectedFault } from "./fault.ts";
export { countByOperation, type S3RequestLog } from "./request-log.ts";
export { type StoredTestObject } from "./stored-objects.ts";
export { type ControlSettings } from "./control.ts";
export { type Policy, type PolicyStatement } from "./policy.ts";
export { type OperationName } from "./operation-names.ts";
export {
  startS3ServerProcess,
  type RemoteFault,
  type S3ServerProcess,
  type S3ServerProcessOptions,
} from "./start-s3-server-process.ts";
export {
  createS3TestClient,
  type RawS3Request,
  type RawS3Response,
  type S3TestClient,
  type S3TestClientOptions,
} from "./s3-test-client.ts";
