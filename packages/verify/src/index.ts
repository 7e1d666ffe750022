export { type Finding, type FindingKind } from "./finding.ts";
export { verifyRepository, type VerifyOptions, type VerifyReport } from "./verify-repository.ts";
