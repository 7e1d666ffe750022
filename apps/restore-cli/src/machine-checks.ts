import { formatSize } from "@soar/app-kit";
import type { CheckedRestore } from "@soar/restore";
import { planChecks, type PlanCheck, type RestorePlan } from "@soar/restore/plan";
import { formatVersion } from "./plan-texts.ts";

const THERE: Record<CheckedRestore["approach"]["kind"], string> = {
  fill: "is empty or does not exist yet",
  replace: "holds a cluster that can be kept aside",
  refill: "holds files of this cluster that may be overwritten",
  recover: "holds an interrupted restore of this plan, unchanged since",
  "at-target": "holds a restore of this plan that ended at the target, unchanged since",
  follow: "holds an interrupted restore of this plan, whose server goes on",
  finish: "holds an interrupted restore of this plan, whose recovery is over",
  opened: "holds a restore of this plan that is proved, and is left alone",
};

/** Everything that was looked at: what the plan proves, and what this machine has to offer. */
export function passedChecks(plan: RestorePlan, dataDir: string, checked: CheckedRestore): PlanCheck[] {
  const passed = (name: string, detail: string): PlanCheck => ({ name, outcome: "passed", detail });
  return [
    ...planChecks(plan),
    passed("directory", `${dataDir} ${THERE[checked.approach.kind]}`),
    passed("room", roomText(plan, checked)),
    passed(
      "programs",
      `PostgreSQL ${checked.programVersion} in ${checked.binDir}; the backup is of ${formatVersion(plan.backup.postgresVersion)}`,
    ),
    ...(plan.backup.tablespaces.length === 0
      ? []
      : [passed("tablespaces", [...checked.tablespaces.values()].join(", "))]),
  ];
}

/** Going on with what is there was not measured: it takes what is left of it. */
function roomText({ neededBytes, neededWalBytes }: RestorePlan, { approach, freeBytes }: CheckedRestore): string {
  const free = `${formatSize(freeBytes)} are free`;
  if (["recover", "at-target", "follow", "finish", "opened"].includes(approach.kind))
    return `the data is there; ${free}`;
  const atMost = approach.kind === "refill" ? "at most " : "";
  return `${atMost}${formatSize(neededBytes)} are needed there and ${formatSize(neededWalBytes)} for WAL, ${free}`;
}

/** What the plan proves, and the first thing that stands against it here. */
export function failedChecks(plan: RestorePlan, obstacle: Error): PlanCheck[] {
  return [...planChecks(plan), { name: "this machine", outcome: "failed", detail: obstacle.message }];
}
