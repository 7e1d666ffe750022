// Checksums of data pages.

export { pageChecksum } from "./page-checksum.ts";
export { pageLsn } from "./page-lsn.ts";
export { createPageVerifier, type PageVerifier } from "./page-verifier.ts";
export { parseRelationPath, type RelationPath } from "./relation-path.ts";
export { type DamagedPage, findDamagedPages, type VerifyPagesOptions } from "./verify-pages.ts";
