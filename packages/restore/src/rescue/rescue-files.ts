import { readBackupOutline, tableOf } from "@soar/repository";
import type { ObjectStore } from "@soar/storage";
import { withPlanLease } from "../plan/plan-lease.ts";
import type { RestorePlan } from "../plan/plan.ts";
import type { RescueChoice } from "./rescue-scope.ts";
import { withScratchCluster } from "./scratch-cluster.ts";
import type { ScratchOptions, ScratchWork } from "./scratch-types.ts";

export interface Rescued<T> {
  readonly value: T;
  /** What was fetched in the end. */
  readonly scope: "cluster" | "database" | "relations";
}

export interface RescueWork<T> extends Omit<ScratchWork<T>, "choice" | "table" | "verify"> {
  /** What to try, the least first; the last is taken as it is. */
  readonly choices: readonly RescueChoice[];
  verify(choice: RescueChoice, ...args: Parameters<ScratchWork<T>["verify"]>): ReturnType<ScratchWork<T>["verify"]>;
}

/** What a rescue plans with, from what is in the repository when it is called. */
export interface Replanning {
  /** Plans the same again, where something of the plan expired before expiry knew of it. */
  readonly replan: () => Promise<RestorePlan>;
}

/** `rescueWith`, for somebody who does not hold a lease on the plan; with the plan that was carried out. */
export async function leased<T>(
  store: ObjectStore,
  planned: RestorePlan,
  { replan, ...options }: ScratchOptions & Replanning,
  workOf: (plan: RestorePlan) => RescueWork<T>,
): Promise<Rescued<T> & { readonly plan: RestorePlan }> {
  const { signal, onEvent } = options;
  const onRefusal = (reason: string): void => onEvent?.({ type: "no-lease", reason });
  return await withPlanLease(store, planned, { purpose: "restore", signal, onRefusal, replan }, async (plan) => {
    if (plan !== planned) onEvent?.({ type: "planned-again", label: plan.backup.label });
    return { ...(await rescueWith(store, plan, options, workOf(plan))), plan };
  });
}

/** Works with the smallest part of the backup that is proved to suffice, and says why when it has to fetch more. */
export async function rescueWith<T>(
  store: ObjectStore,
  plan: RestorePlan,
  options: ScratchOptions,
  { choices, verify, ...work }: RescueWork<T>,
): Promise<Rescued<T>> {
  const table = await readBackupOutline(store, tableOf(plan.backup), { signal: options.signal });
  for (const choice of choices) {
    const result = await withScratchCluster(store, plan, options, {
      ...work,
      choice,
      table,
      verify: async (scratch) => await verify(choice, scratch),
    });
    if (result.doubt === undefined)
      return { value: result.value, scope: choice.kind === "relations-to-choose" ? "relations" : choice.kind };
    options.onEvent?.({ type: "widened", reason: result.doubt });
  }
  throw new Error("a rescue from the whole cluster was doubted");
}
