import { SoarError } from "@soar/errors";
import { describeTarget, type RestoreTarget } from "./restore-target.ts";

/** Transactions in an epoch: records of the WAL, and recovery, know a transaction by its number in its epoch alone. */
const EPOCH = 2 ** 32;

/** What records of a transaction carry of its number. */
export function xidInRecords(xid: number): number {
  return xid % EPOCH;
}

/**
 * Requires that a transaction that was named with its epoch, as `pg_current_xact_id()` tells it, is the one that was found: PostgreSQL
 * itself takes the lower half of the number and stops at another one. Throws `TARGET_INVALID`.
 *
 * @param nextXid of the last checkpoint before it in the WAL
 */
export function requireEpoch(target: RestoreTarget, nextXid: bigint | undefined): void {
  if (target.kind !== "xid" || target.xid < EPOCH || nextXid === undefined) return;
  // Of all with these lower bits the nearest: no two that live at one time are half an epoch apart.
  const found = nextXid + BigInt((xidInRecords(target.xid) - Number(nextXid % BigInt(EPOCH))) | 0);
  if (found === BigInt(target.xid)) return;
  throw new SoarError(
    "TARGET_INVALID",
    `unable to restore to ${describeTarget(target)}: the one with this number in the WAL is ${found}`,
    {
      hint: "pg_current_xact_id() tells the number with its epoch; the lower half of it alone names a transaction, too.",
    },
  );
}
