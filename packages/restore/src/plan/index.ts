// What a restore will do, decided and proved before anything is touched.

export { planRestore, type PlanOptions } from "./plan-restore.ts";
export { describeTarget, type RestoreTarget } from "./restore-target.ts";
export type { CommitPoint } from "./resolve-target.ts";
export type { RestorePlan } from "./plan.ts";
export { planChecks, type PlanCheck } from "./plan-checks.ts";
export { measureDownload, type MeasuredDownload } from "./measure-download.ts";
export { withPlanLease, type PlanLeaseOptions } from "./plan-lease.ts";
