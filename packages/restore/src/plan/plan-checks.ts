import { formatLsn } from "@soar/pg-tools";
import type { RestorePlan } from "./plan.ts";
import { segmentsUntil } from "./segments-until.ts";

/** One thing that was looked at before anything is touched. */
export interface PlanCheck {
  readonly name: string;
  readonly outcome: "passed" | "failed";
  /** What was found. */
  readonly detail: string;
}

/** What planning proved: there is no plan when one of these fails. */
export function planChecks({ backup, chain, resolved, location }: RestorePlan): PlanCheck[] {
  const segments = segmentsUntil(chain, resolved.stopLsn);
  const passed = (name: string, detail: string): PlanCheck => ({ name, outcome: "passed", detail });
  return [
    passed("cluster", `everything in ${location} is of the cluster with system identifier ${backup.systemIdentifier}`),
    passed("backup", `all ${backup.objects.length} objects of ${backup.label} are there with their recorded sizes`),
    passed(
      "WAL",
      `none of ${segments.length} segments is missing from ${segments[0]?.name ?? "the first"} to ${segments.at(-1)?.name ?? "the last"}`,
    ),
    passed(
      "target",
      `by PostgreSQL's own rule recovery ends at ${formatLsn(resolved.stopLsn)}, behind the end of the backup at ${backup.stopLsn}`,
    ),
  ];
}
