import { join } from "node:path";
import { holdControlFile } from "./fetch/delta/hold-control-file.ts";
import { saveUnarchivedWal } from "./fetch/delta/save-wal.ts";
import { localSegments } from "./local-wal/local-chain.ts";
import type { RestorePlan } from "./plan/plan.ts";
import { relocateLocalWal } from "./plan/relocate-local-wal.ts";
import { segmentsUntil } from "./plan/segments-until.ts";
import type { CheckedRestore, RestoreOptions } from "./run/restore-options.ts";
import type { RecordKeeper } from "./status/record-keeper.ts";

/** Takes pg_control away from what is going to be overwritten, and puts aside what of its WAL may be the only copy. */
export async function putWalAside(
  plan: RestorePlan,
  { approach }: CheckedRestore,
  { dataDir, owner, onEvent }: RestoreOptions,
  keeper: RecordKeeper,
): Promise<RestorePlan> {
  if (approach.kind !== "refill") return plan;
  await holdControlFile(dataDir, { ...approach, owner });
  const needed = localSegments(segmentsUntil(plan.chain, plan.resolved.stopLsn)).map(({ name }) => name);
  const place = await saveUnarchivedWal(dataDir, { needed: new Set(needed), owner });
  if (place === undefined) return plan;
  await keeper.note({ savedWal: place });
  onEvent?.({ type: "done", text: `put WAL that was not archived aside in ${place}` });
  return relocateLocalWal(plan, join(dataDir, "pg_wal"), place);
}
