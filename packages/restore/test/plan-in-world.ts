import { formatWalSegment } from "@soar/pg-tools";
import { walKey } from "@soar/repository/wal";
import { planRestore, type PlanOptions, type RestoreTarget } from "@soar/restore/plan";
import type { ObjectStore } from "@soar/storage";
import { copyStore, SEGMENT_SIZE, type Commit, type PlanningWorld } from "./planning-world.ts";

/** What was archived before anything branched off, with the backups `quiet` and `busy`. */
export function beforeBranches({ store, beforeSwitch }: PlanningWorld): Promise<ObjectStore> {
  return copyStore(
    store,
    (key) => (!key.startsWith("wal/") && !key.startsWith("base/2025-01-07/")) || beforeSwitch.has(key),
  );
}

export function commitOf({ commits }: PlanningWorld, name: string): Commit {
  const found = commits[name];
  if (found === undefined) throw new Error(`no commit ${name}`);
  return found;
}

export const at = (time: bigint, inclusive = true): RestoreTarget => ({ kind: "time", time, inclusive });

export const plan = (store: ObjectStore, target: RestoreTarget, more: Partial<PlanOptions> = {}) =>
  planRestore(store, { target, ...more });

export const segmentOf = (index: number, timeline = 1) => formatWalSegment({ timeline, index }, SEGMENT_SIZE);

/** A repository that lacks these files. */
export const without = (store: ObjectStore, ...names: string[]) =>
  copyStore(store, (key) => !names.some((name) => key === walKey(name, "zstd") || key === name));
