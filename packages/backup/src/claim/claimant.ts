import { uptime } from "node:os";
import { areOfOneMachine, hasProcessEnded, ownIdentity } from "@soar/durable-files/processes";
import type { StartedRecord } from "@soar/repository/markers";

/** This process as its claim names it. */
export async function describeClaimant(): Promise<Pick<StartedRecord, "processId" | "process">> {
  const identity = await ownIdentity();
  if (identity === undefined) return { processId: process.pid };
  const { id, ...where } = identity;
  return { processId: id, process: where };
}

export interface ClaimantOptions {
  /** Name of this machine. */
  readonly host: string;
  readonly now: Date;
}

/**
 * Whether the process behind a claim is proved to be gone: this machine sees that it has ended, or was started again since. A
 * container of the same name sees neither, and must not take the process for a dead one because its id is free here, nor for a
 * live one because somebody has it. Nor does another machine of the same name that was started since: only a machine whose
 * own id the claim has.
 */
export async function isClaimantGone(
  { host: claimedOn, processId, process: where, startedAt }: StartedRecord,
  { host, now }: ClaimantOptions,
): Promise<boolean> {
  if (claimedOn !== host || where === undefined) return false;
  if (await hasProcessEnded({ ...where, id: processId })) return true;
  const own = await ownIdentity();
  const bootedAt = now.getTime() - uptime() * 1000;
  return (
    own !== undefined && areOfOneMachine(own, where) && own.boot !== where.boot && bootedAt > Date.parse(startedAt)
  );
}
