import { setTimeout as delay } from "node:timers/promises";
import { SoarError } from "@soar/errors";
import { chooseBackupLabel, requireBackupLabel, FORMAT_VERSION } from "@soar/repository";
import { claimLabel, type StartedRecord } from "@soar/repository/markers";
import { describeClaimant } from "./claimant.ts";
import type { ObjectStore } from "@soar/storage";

/**
 * A run that has not ended this long after its start counts as dead, and expiry removes what it stored: as long as 420 GB take through
 * a line of 10 Mbit/s. Until then a backup that has lost its record passes for a running one, and a run on a standby, which no lock
 * proves dead, keeps others waiting: it is over before the next weekly verification and backup.
 */
const LONGEST_RUN_MS = 4 * 86_400_000;
const SECOND_MS = 1000;

export interface ClaimOptions {
  /** Name instead of the date. */
  readonly label: string | undefined;
  /** Labels that were used before: a label is never used twice, even when what it named was removed. */
  readonly taken: ReadonlySet<string>;
  readonly host: string;
  readonly now: () => Date;
  readonly references?: readonly string[] | undefined;
  readonly fromStandby: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface ClaimedLabel {
  readonly label: string;
  readonly startedAt: Date;
}

/** Whether a claim was made by this run. */
export function isClaimOf(
  started: StartedRecord | undefined,
  { startedAt }: ClaimedLabel,
  host: string,
): started is StartedRecord {
  return started?.host === host && started.startedAt === startedAt.toISOString() && started.processId === process.pid;
}

/** A second for the run before, which took it and was interrupted, and one for a run elsewhere that begins at the same moment. */
const ATTEMPTS = 3;

/**
 * Takes a label for this run by writing `started.json`, before anything else of the backup. A label that names a second is not used
 * twice: where this second's is taken, the next one's is. Rejects with `BACKUP_RUNNING`.
 */
export async function claimBackupLabel(store: ObjectStore, options: ClaimOptions): Promise<ClaimedLabel> {
  const { label: wanted, taken, signal } = options;
  for (let attempt = 1; ; attempt += 1) {
    const now = options.now();
    const label = wanted === undefined ? chooseBackupLabel(now, taken) : requireBackupLabel(wanted);
    if (!taken.has(label) && (await claimLabel(store, await describeRun(label, now, options), { signal })))
      return { label, startedAt: now };
    if (wanted !== undefined || attempt === ATTEMPTS)
      throw new SoarError("BACKUP_RUNNING", `unable to begin: the label '${label}' is taken`, {
        hint: "Another run began under it. soar-base-backup list shows whether it is complete; run the command again for a new label.",
      });
    await delay(SECOND_MS - (now.getTime() % SECOND_MS), undefined, { signal });
  }
}

async function describeRun(
  label: string,
  now: Date,
  { host, references = [], fromStandby }: ClaimOptions,
): Promise<StartedRecord> {
  return {
    format: FORMAT_VERSION,
    label,
    host,
    ...(await describeClaimant()),
    startedAt: now.toISOString(),
    deadline: new Date(now.getTime() + LONGEST_RUN_MS).toISOString(),
    references: [...references],
    ...(fromStandby ? { fromStandby } : {}),
  };
}
