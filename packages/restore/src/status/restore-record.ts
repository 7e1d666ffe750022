import { dirname, join } from "node:path";
import { makeDirectory, type Owner, readTextIfPresent, replaceFile } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { formatLsn } from "@soar/pg-tools";
import { parseJsonAs } from "@soar/repository";
import * as v from "valibot";
import { inDataDirectory, RESTORE_STATE_DIRECTORY } from "../data-directory.ts";
import { describeTarget } from "../plan/restore-target.ts";
import type { RestorePlan } from "../plan/plan.ts";
import { leftFilesSchema, type LeftFiles } from "./left-files.ts";

const FORMAT = 1;
export const RECORD_NAME = "restore.json";

/** What a restore leaves in the directory that it fills: enough to go on with it, and to show it from another terminal. */
export interface RestoreRecord {
  readonly format: typeof FORMAT;
  /**
   * `fetch`: the directory cannot be started. `recover`: it is whole, and recovery may be started or followed again.
   * `at-target`: the restore did what it was asked, its server pauses at the target or was shut down there, and nobody has
   * to go on. `finish`: recovery is over, at the place that was planned, and the server takes its own settings back. `opened`:
   * noted before the server is started in its own right, so that it may hold commits of its own: nothing of it is overwritten
   * or put aside; WAL that only this machine has is being stored.
   */
  readonly phase: "fetch" | "recover" | "at-target" | "finish" | "opened";
  readonly systemIdentifier: string;
  readonly backup: string;
  readonly target: string;
  /** Planned end of recovery. */
  readonly stopLsn: string;
  readonly timeline: number;
  /** What the server that recovers was told to do at the target. */
  readonly action: TargetAction;
  /** OIDs of tablespaces with the directories that are filled, too. */
  readonly tablespaces: readonly (readonly [oid: number, directory: string])[];
  /** The process that restores, as it sees itself, for messages: whether it lives is told by the lock. */
  readonly processId: number;
  /** When it was started; only in records of versions before, which held no lock. */
  readonly processStart?: string | undefined;
  readonly startedAt: string;
  /** Where in the server's log the recovery that runs begins, and when it was begun. */
  readonly logOffset: number;
  readonly recoveryBegunAt?: string | undefined;
  /** Stored bytes of the backup that came so far, those that need not come because what they hold is there, and all of them. */
  readonly fetchedBytes: number;
  readonly sparedBytes: number;
  readonly totalBytes: number;
  /** Where the old data directory was put. */
  readonly keptAs?: string | undefined;
  /** Where WAL was put that an overwritten directory had not archived. */
  readonly savedWal?: string | undefined;
  /** Directory of the socket by which alone the server can be reached until it is proved. */
  readonly privateDir?: string | undefined;
  /** What recovery came to; of the phases `at-target`, `finish` and `opened`. */
  readonly outcome?: RecordedOutcome | undefined;
  /** When the server was first seen to pause at the target. */
  readonly pausedAt?: string | undefined;
  /** What lay there when no server ran any more; undefined while one may run, and after a crash. */
  readonly left?: LeftFiles | undefined;
  /** Damage that a look at the files of the phase `finish` has proved, in words: it may be overwritten. */
  readonly damage?: string | undefined;
  /** Commit time of what has been replayed. */
  readonly replayedTime?: string | undefined;
}

export type TargetAction = "promote" | "pause" | "shutdown";

export interface RecordedOutcome {
  readonly kind: "promoted" | "paused" | "shut-down";
  readonly timeline: number;
  /** In decimal digits. */
  readonly reachedLsn: string | undefined;
  readonly lastCommitTime: string | undefined;
  readonly restoredFiles: number;
  readonly stop: string | undefined;
  readonly checks: RestoredChecks | undefined;
}

/** What was found in the restored server before anybody else was let in. */
export interface RestoredChecks {
  /** Databases that were entered. */
  readonly databases: number;
  /** Databases whose texts this host sorts in another way than the source: their indexes may be wrong (safety, trap 46). */
  readonly otherCollation: readonly string[];
  /** Tables that no backup holds the rows of (safety, trap 25). */
  readonly unloggedTables: number;
  /** What is wrong with single databases, one sentence each: that one cannot be entered, for example. */
  readonly findings: readonly string[];
  /** Logical subscriptions that are enabled there; undefined when nobody could look. */
  readonly subscriptions: readonly { readonly database: string; readonly name: string }[] | undefined;
}

/** JSON leaves out what is undefined. */
const absent = (): undefined => undefined;
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const optionalText = v.optional(v.string());
/** As Date writes it. */
const instant = v.pipe(
  v.string(),
  v.check((text) => !Number.isNaN(Date.parse(text)), "a time is expected"),
);
/** A bigint of 64 bits. */
const decimal = v.pipe(v.string(), v.regex(/^\d{1,20}$/));
const lsnText = v.pipe(v.string(), v.regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i));

const outcomeSchema = v.object({
  kind: v.optional(v.picklist(["promoted", "paused", "shut-down"]), "promoted"),
  timeline: whole,
  reachedLsn: v.optional(decimal, absent),
  lastCommitTime: v.optional(instant, absent),
  restoredFiles: whole,
  stop: v.optional(v.string(), absent),
  checks: v.optional(
    v.object({
      databases: whole,
      otherCollation: v.array(v.string()),
      unloggedTables: whole,
      findings: v.array(v.string()),
      subscriptions: v.optional(v.array(v.object({ database: v.string(), name: v.string() })), absent),
    }),
    absent,
  ),
});

const recordSchema: v.GenericSchema<unknown, RestoreRecord> = v.pipe(
  v.object({
    format: v.literal(FORMAT),
    phase: v.picklist(["fetch", "recover", "at-target", "finish", "opened"]),
    systemIdentifier: v.string(),
    backup: v.string(),
    target: v.string(),
    stopLsn: lsnText,
    timeline: whole,
    // Records of versions before know neither.
    action: v.optional(v.picklist(["promote", "pause", "shutdown"]), "promote"),
    tablespaces: v.array(v.tuple([whole, v.string()])),
    processId: whole,
    processStart: optionalText,
    startedAt: instant,
    logOffset: whole,
    recoveryBegunAt: v.optional(instant),
    fetchedBytes: whole,
    sparedBytes: v.optional(whole, 0),
    totalBytes: whole,
    keptAs: optionalText,
    savedWal: optionalText,
    privateDir: optionalText,
    outcome: v.optional(outcomeSchema),
    pausedAt: v.optional(instant),
    left: v.optional(leftFilesSchema),
    damage: optionalText,
    replayedTime: v.optional(instant),
  }),
  v.check(
    ({ phase, outcome }) => phase === "fetch" || phase === "recover" || outcome !== undefined,
    "a recovery that is over has an outcome",
  ),
);

export function recordPath(dataDir: string): string {
  return join(dataDir, RESTORE_STATE_DIRECTORY, RECORD_NAME);
}

/** The part of a record that a plan determines: a directory that was begun for another one holds other files. */
export function plannedRecord(
  plan: RestorePlan,
): Pick<RestoreRecord, "systemIdentifier" | "backup" | "target" | "stopLsn" | "timeline"> {
  const { backup, resolved, chain, target } = plan;
  return {
    systemIdentifier: backup.systemIdentifier,
    backup: backup.label,
    target: describeTarget(target),
    stopLsn: formatLsn(resolved.stopLsn),
    timeline: chain.history.timeline,
  };
}

/** Undefined when no restore is or was in progress there. Rejects with `FORMAT_INVALID` or `FILE_UNREADABLE`. */
export async function readRestoreRecord(dataDir: string): Promise<RestoreRecord | undefined> {
  const path = recordPath(dataDir);
  const text = await readTextIfPresent(path, { within: { base: dataDir } });
  if (text === undefined) return undefined;
  const value = parseJsonAs(recordSchema, text);
  if (value !== undefined) return value;
  throw new SoarError("FORMAT_INVALID", `unable to read '${path}': it is not the record of a restore`, {
    hint: "It is written by soar-restore of one version only; finish the restore with that version.",
  });
}

/** Replaces the record as a whole: after a crash the old or the new one is there. */
export async function writeRestoreRecord(
  dataDir: string,
  record: RestoreRecord,
  owner: Owner | undefined,
): Promise<void> {
  const path = recordPath(dataDir);
  // The next run goes on by it, whatever ended this one.
  const options = { owner, sync: "directory", within: inDataDirectory(dataDir, owner) } as const;
  await makeDirectory(dirname(path), { ...options, mode: 0o700 });
  await replaceFile(path, `${JSON.stringify(record)}\n`, { ...options, mode: 0o600 });
}
