export { type Finding, type FindingKind, type Severity } from "./finding.ts";
export { createVerifyPool, type VerifyPool } from "./full/verify-pool.ts";
export { type AgeLimits } from "./quick/check-ages.ts";
export { NOTHING_READ, openReadMemory, type ReadMemory } from "./sample/read-memory.ts";
export {
  type Depth,
  type VerifiedBackup,
  type VerifyEvent,
  type VerifyOptions,
  type VerifyReport,
} from "./verify-options.ts";
export { askServer } from "./ask-server.ts";
export type { ServerWord } from "./quick/check-last-archived.ts";
export { verifyRepository } from "./verify-repository.ts";
export { runDoctor, type DoctorOptions } from "./doctor/run-doctor.ts";
export { safeLifecycle } from "./doctor/safe-lifecycle.ts";
export type { Area, Examination } from "./doctor/examination.ts";
export type { ProgramSettings, TestNotice, WrittenPlace } from "./doctor/program-settings.ts";

// Restore drill
export { runDrill } from "./drill/run-drill.ts";
export type { DrillEvent, DrillInstant, DrillOptions, DrillOutcome, KeptCluster } from "./drill/drill-options.ts";
export { parseSqlChecks } from "./drill/sql/parse-sql-checks.ts";
export type { SqlCheck } from "./drill/sql/sql-check.ts";
export { parseSealedReport } from "./drill/report/seal-report.ts";
export type { DrillCheck, DrillReport } from "./drill/report/drill-report.ts";
export { formatReportPage } from "./drill/report/report-page.ts";
