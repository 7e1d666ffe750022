import { isSoarError } from "@soar/errors";
import { formatLsn, parseLsn } from "@soar/pg-tools";
import { connectSomewhere } from "@soar/pg-tools/replication";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import { ageAt } from "@soar/repository/time";
import type { RestorePlan } from "@soar/restore/plan";
import type { TargetServer } from "@soar/restore/rescue";
import type { DrillResult } from "./report/drill-report.ts";

/** What production said of itself after the end of the bucket was fixed. */
export interface ProductionState {
  readonly target: TargetServer;
  readonly writtenLsn: bigint;
  /** What time it was there. */
  readonly clock: Date;
}

/** Asks the server that was backed up. Tells why it cannot be used: another cluster is no production to compare with. */
export async function findProduction(
  target: TargetServer,
  systemIdentifier: string,
  signal: AbortSignal,
): Promise<ProductionState | { readonly unusable: string }> {
  try {
    await using connection = await connectSomewhere(target.server, { signal });
    const [row] = await connection.query<{ id: string; lsn: string | null; ms: string }>(
      "SELECT system_identifier::text AS id, (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS ms, CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text AS lsn FROM pg_control_system()",
    );
    if (row?.id !== systemIdentifier)
      return { unusable: `the server at ${connection.location} is another cluster, with system identifier ${row?.id}` };
    return { target, writtenLsn: parseLsn(row.lsn ?? "0/0"), clock: new Date(Number(row.ms)) };
  } catch (error) {
    if (!isSoarError(error) || error.code === "ABORTED") throw error;
    return { unusable: error.message };
  }
}

/**
 * How much a loss of the server at `at` would have cost, at the most: nothing when all that it had written until then was in
 * the bucket, else everything since the newest commit there. Undefined where that cannot be told, also because the commit lies
 * in the future of this machine's clock.
 */
export function measureRpo(
  { resolved }: RestorePlan,
  { at, production }: { readonly at: Date; readonly production: ProductionState | undefined },
): DrillResult["rpo"] {
  const { stopLsn, lastReplayed } = resolved;
  if (production !== undefined && production.writtenLsn <= stopLsn)
    return {
      seconds: 0,
      basis: `everything that production had written, to ${formatLsn(production.writtenLsn)}, was in the bucket`,
    };
  if (lastReplayed === undefined) return undefined;
  const age = ageAt(at, new Date(Number(lastReplayed.time / 1000n)));
  if (age < 0) return undefined;
  const seconds = age === 0 ? 0 : (at.getTime() * 1000 - Number(lastReplayed.time)) / 1e6;
  const missing =
    production === undefined
      ? "production was not asked"
      : `${production.writtenLsn - stopLsn} bytes of WAL that production had written were not there`;
  return {
    seconds: Math.round(seconds * 1000) / 1000,
    basis: `the newest commit in the bucket was of ${formatTargetTime(lastReplayed.time)}; ${missing}`,
  };
}
