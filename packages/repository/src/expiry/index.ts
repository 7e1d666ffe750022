// What may be removed, decided as a value and carried out.

export {
  executeExpiry,
  removeBackup,
  type ExecuteExpiryOptions,
  type ExpiryEvent,
  type ExpiryOutcome,
} from "./expiry-execute.ts";
export { planExpiry, removalOrder, type ExpiryPlan, type RetentionPolicy } from "./expiry-plan.ts";
export { strandedBackups } from "./stranded-backups.ts";
export { readExpiryState, readStamps, readStarted, type ExpiryState } from "./expiry-state.ts";
