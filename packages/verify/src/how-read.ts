import type { Finding } from "./finding.ts";
import type { ReadingPlan } from "./plan-reading.ts";
import type { CompleteBackup } from "./survey/survey-repository.ts";
import type { VerifiedBackup } from "./verify-options.ts";

/** Findings behind which bytes lie that nobody could read, or find. */
const UNREADABLE: ReadonlySet<Finding["kind"]> = new Set([
  "table-damaged",
  "object-missing",
  "object-wrong-size",
  "reference-broken",
]);

/** How much of a backup was read, as far as it was there: what was meant to be read proves nothing. */
export function howRead(
  { label, record }: CompleteBackup,
  plan: Pick<ReadingPlan, "fullLabels" | "slices" | "isStored">,
  findings: readonly Finding[],
): VerifiedBackup["read"] {
  if (plan.fullLabels.has(label)) {
    const whole = plan.isStored ? "stored" : "full";
    return isThere([label, ...record.references], findings) ? whole : "part";
  }
  return [...plan.slices].some((name) => name.startsWith(`base/${label}/`)) ? "sample" : "quick";
}

/** Whether every byte of these backups was there to be read. */
function isThere(labels: readonly string[], findings: readonly Finding[]): boolean {
  return !findings.some(
    ({ kind, where }) =>
      UNREADABLE.has(kind) && labels.some((label) => where === label || where.startsWith(`base/${label}/`)),
  );
}
