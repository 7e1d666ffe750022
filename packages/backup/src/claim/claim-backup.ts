import { isSoarError, SoarError } from "@soar/errors";
import { listBackupDirectories } from "@soar/repository";
import { findStarted, type StartedRecord } from "@soar/repository/markers";
import { proveTime } from "@soar/repository/time";
import { readStarted, removalOrder, removeBackup } from "@soar/repository/expiry";
import type { ObjectStore } from "@soar/storage";
import { isClaimantGone } from "./claimant.ts";
import { claimBackupLabel, isClaimOf, type ClaimedLabel } from "./claim-label.ts";
import { chooseBase, type ChosenBase } from "../incremental-base.ts";
import { removeInterruptedRuns } from "../remove-interrupted.ts";

export interface ClaimBackupOptions {
  /** Refer to unchanged chunks of earlier backups, unless a full one is due: `fullEveryMs` after the last. */
  readonly incremental?: { readonly fullEveryMs: number } | undefined;
  /** Name instead of the date. */
  readonly label?: string | undefined;
  /** Name of this machine, for records. */
  readonly host: string;
  readonly now: () => Date;
  /**
   * The newest stamp in the repository before this run, where this machine does the stamping, and nobody else refuses a
   * clock that is wrong: none lapses by this one alone.
   */
  readonly newestStamp?: Date | undefined;
  /** Whether this run holds the primary's lock, so that no other run there lives. */
  readonly holdsLock: boolean;
  /** Labels that this run reads, for expiry to leave alone. */
  readonly reads?: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: (event: ClaimEvent) => void;
}

export type ClaimEvent =
  | { readonly type: "label"; readonly label: string }
  /** An incremental was asked for; with a reason, a full one is taken instead. */
  | { readonly type: "incremental"; readonly base: string | undefined; readonly reason: string | undefined }
  /** What an interrupted run left was removed, or could not be for want of the right to. */
  | { readonly type: "interrupted-removed"; readonly label: string }
  | { readonly type: "interrupted-left"; readonly label: string; readonly reason: string };

/** A label that is this run's own. */
export interface ClaimedBackup extends ClaimedLabel {
  /** For an incremental only. */
  readonly base: ChosenBase | undefined;
}

/**
 * Makes this run the only one of its repository, as far as the bucket can tell: removes what dead runs left, writes
 * `started.json`, and looks again, because another run may have looked at the same moment; then both withdraw.
 * Rejects with `BACKUP_RUNNING`.
 */
export async function claimBackup(store: ObjectStore, options: ClaimBackupOptions): Promise<ClaimedBackup> {
  const { signal, onEvent, holdsLock, reads = [] } = options;
  const dead = (started: StartedRecord): Promise<boolean> => isDead(started, options);
  const taken = await removeInterruptedRuns(store, {
    signal,
    isDead: dead,
    onRemoved: (label) => onEvent?.({ type: "interrupted-removed", label }),
    onLeft: (label, reason) => onEvent?.({ type: "interrupted-left", label, reason }),
  });
  const base = await chooseWhatToReferTo(store, options);
  const references = [...new Set([...reads, ...(base?.references ?? [])])];
  const claimed = await claimBackupLabel(store, {
    label: options.label,
    taken,
    host: options.host,
    now: options.now,
    references,
    fromStandby: !holdsLock,
    signal,
  });
  await requireAlone(store, claimed, dead, options);
  onEvent?.({ type: "label", label: claimed.label });
  return { ...claimed, base };
}

/** A run that has failed, or was stopped, waits no longer for a store that says nothing. */
const WITHDRAWAL_MS = 60_000;

/**
 * Gives a claim up, with everything that was stored under it, unless it is another run's by now. What cannot be removed is told
 * as left, and is the next run's to remove.
 */
export async function withdrawClaim(
  store: ObjectStore,
  claimed: ClaimedLabel,
  { host, onEvent }: Pick<ClaimBackupOptions, "host" | "onEvent">,
): Promise<void> {
  const { label } = claimed;
  const limit = { signal: AbortSignal.timeout(WITHDRAWAL_MS) };
  try {
    if (!isClaimOf(await findStarted(store, label, limit), claimed, host)) return;
    const own = (await listBackupDirectories(store, limit)).find((directory) => directory.label === label);
    if (own !== undefined && own.record === undefined && own.damage === undefined)
      await removeBackup(store, { label, objects: removalOrder(own) }, limit);
  } catch (error) {
    if (!isSoarError(error)) throw error;
    onEvent?.({ type: "interrupted-left", label, reason: error.message });
  }
}

async function requireAlone(
  store: ObjectStore,
  claimed: ClaimedLabel,
  dead: (started: StartedRecord) => Promise<boolean>,
  options: Pick<ClaimBackupOptions, "host" | "signal" | "onEvent">,
): Promise<void> {
  const { signal } = options;
  const others = (await listBackupDirectories(store, { signal })).filter(
    ({ label, record, damage }) => label !== claimed.label && record === undefined && damage === undefined,
  );
  const claims = [...(await readStarted(store, others, { signal })).values()];
  const ended = await Promise.all(claims.map(dead));
  const alive = claims.find((_claim, at) => ended[at] !== true);
  if (alive === undefined) return;
  await withdrawClaim(store, claimed, options);
  throw new SoarError(
    "BACKUP_RUNNING",
    `unable to begin: backup '${alive.label}' was begun at the same time on ${alive.host}`,
    { hint: "Run the command again, one at a time." },
  );
}

async function chooseWhatToReferTo(
  store: ObjectStore,
  { incremental, now, signal, onEvent }: ClaimBackupOptions,
): Promise<ChosenBase | undefined> {
  if (incremental === undefined) return undefined;
  const choice = await chooseBase(store, { now: now(), fullEveryMs: incremental.fullEveryMs, signal });
  if (choice.base !== undefined) return choice;
  onEvent?.({ type: "incremental", base: undefined, reason: choice.reason });
  return undefined;
}

/**
 * Whether the run behind a claim is dead. Holding the primary's lock proves that of every run on the primary; advisory
 * locks are not shared with standbys, so a claim from there counts until its deadline has provably passed, or until its
 * process is proved to be gone.
 */
async function isDead(
  started: StartedRecord,
  { holdsLock, host, now, newestStamp }: ClaimBackupOptions,
): Promise<boolean> {
  if (holdsLock && started.fromStandby !== true) return true;
  const { now: proved } = proveTime({ clock: now(), newestStamp, backups: [] });
  if (Date.parse(started.deadline) <= proved.getTime()) return true;
  return await isClaimantGone(started, { host, now: proved });
}
