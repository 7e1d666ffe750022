import type { SeekTable } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import { readBackupTable } from "../fetch-backup.ts";
import type { RestorePlan } from "../restore-plan.ts";
import type { RescueScope } from "./rescue-scope.ts";
import { withScratchCluster } from "./scratch-cluster.ts";
import type { ScratchOptions, ScratchWork } from "./scratch-types.ts";

export interface Rescued<T> {
  readonly value: T;
  /** What was fetched in the end. */
  readonly scope: RescueScope["kind"];
}

export interface RescueWork<T> extends Omit<ScratchWork<T>, "scope" | "table" | "verify"> {
  /** What to try, the least first; the last is taken as it is. */
  scopes(table: SeekTable): Promise<readonly RescueScope[]>;
  verify(scope: RescueScope, ...args: Parameters<ScratchWork<T>["verify"]>): ReturnType<ScratchWork<T>["verify"]>;
}

/** Works with the smallest part of the backup that is proved to suffice, and says why when it has to fetch more. */
export async function rescueWith<T>(store: ObjectStore, plan: RestorePlan, options: ScratchOptions, { scopes, verify, ...work }: RescueWork<T>): Promise<Rescued<T>> {
  const table = await readBackupTable(store, plan.backup, options.signal);
  const choices = await scopes(table);
  for (const [at, scope] of choices.entries()) {
    const result = await withScratchCluster(store, plan, options, { ...work, scope, table, verify: async (scratch) => await verify(scope, scratch) });
    if (!("doubt" in result)) return { value: result.value, scope: scope.kind };
    if (at === choices.length - 1 || result.doubt === undefined) break;
    options.onEvent?.({ type: "widened", reason: result.doubt });
  }
  throw new Error("a rescue from the whole cluster was doubted");
}
