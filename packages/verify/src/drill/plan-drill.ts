import { isAbsolute, relative, resolve } from "node:path";
import { hasErrorCode, SoarError } from "@soar/errors";
import type { BackupRecord } from "@soar/repository";
import type { RecoveryWindow } from "@soar/repository/window";
import { describeTarget, planRestore, type RestorePlan } from "@soar/restore/plan";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import type { ObjectStore } from "@soar/storage";
import { chooseInstant } from "./choose-instant.ts";
import type { DrillInstant, DrillOptions } from "./drill-options.ts";
import type { DrillTarget } from "./report/drill-report.ts";

/** Instants near the ends of a range may turn out not to be targets, by the clock of the server. */
const DRAWS = 20;

export interface PlannedDrill {
  readonly plan: RestorePlan;
  readonly target: DrillTarget;
}

/** Plans as every restore does, for the instant that was asked for. Rejects like `planRestore`. */
export async function planDrill(
  store: ObjectStore,
  instant: DrillInstant,
  { window, signal }: { readonly window: RecoveryWindow | undefined; readonly signal: AbortSignal },
): Promise<PlannedDrill> {
  if (instant.at === "latest") {
    const plan = await planRestore(store, { target: { kind: "latest" }, signal });
    return { plan, target: { at: "latest", description: describeTarget(plan.target) } };
  }
  const planTime = (time: bigint, timeline?: number): Promise<RestorePlan> =>
    planRestore(store, { target: { kind: "time", time, inclusive: true }, timeline, signal });
  if (instant.at === "time") {
    const plan = await planTime(instant.micros);
    return {
      plan,
      target: { at: "time", instant: formatTargetTime(instant.micros), description: describeTarget(plan.target) },
    };
  }
  const { seed } = instant;
  for (let draw = 0; ; draw += 1) {
    const { micros, timeline } = chooseInstant(window ?? { timelines: [], gaps: [], unreadable: [] }, { seed, draw });
    try {
      const plan = await planTime(micros, timeline);
      return {
        plan,
        target: {
          at: "random",
          seed,
          instant: formatTargetTime(micros),
          description: `${describeTarget(plan.target)}, at random with seed ${seed}`,
        },
      };
    } catch (error) {
      if (draw + 1 === DRAWS || !hasErrorCode(error, "TARGET_BEFORE_BACKUP", "TARGET_AFTER_ARCHIVE")) throw error;
    }
  }
}

/** A scratch cluster inside of the living one would come into its backups, and its removal would be one slip from disaster. */
export function requireOutside(
  { source, tablespaces }: BackupRecord,
  { tempDir }: Pick<DrillOptions, "tempDir">,
): void {
  const place = resolve(tempDir);
  const living = [source.dataDirectory, ...tablespaces.map(({ location }) => location)].filter((directory) =>
    isAbsolute(directory),
  );
  const around = living.find((directory) => {
    const way = relative(directory, place);
    return way !== ".." && !way.startsWith("../");
  });
  if (around === undefined) return;
  throw new SoarError(
    "CONFIG_INVALID",
    `unable to drill in '${tempDir}': it lies in '${around}', which belongs to the cluster that was backed up`,
    { hint: "Name a directory outside of it with --temp-dir or BACKUP_TEMP_DIR." },
  );
}
