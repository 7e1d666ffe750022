import { hasErrorCode, isSoarError, SoarError } from "@soar/errors";
import { formatLsn, parseLsn, type Lsn } from "@soar/pg-tools";
import type { OwnWords } from "@soar/pg-tools/cluster";
import { askReplay, type AskOptions, type ReplayAnswer } from "./look-at-paused.ts";

/** For so long a server that waits may stay where it is, before that is what is told. */
const STANDING_MS = 10_000;
/** For so long it may answer nobody. */
const SILENT_MS = 3000;

/** Twice what a server of ordinary settings leaves queries that conflict with replay (`max_standby_archive_delay`): then it ends them itself. */
const CONFLICT_MS = 60_000;

interface Standing {
  readonly words: string;
  readonly patienceMs: number;
  readonly hint?: string;
}

const DELAYED: Standing = { words: "it waits by recovery_min_apply_delay", patienceMs: STANDING_MS };
const STARVED: Standing = { words: "it waits for WAL that does not come", patienceMs: STANDING_MS };
const HELD_UP: Standing = {
  words: "it waits for sessions whose queries conflict with what it replays",
  patienceMs: CONFLICT_MS,
  hint: "Look for them in its pg_stat_activity and end them (SELECT pg_terminate_backend(PID)), or let it end them: max_standby_archive_delay is not to be -1. Then give the command again. Nothing was changed.",
};

/** What the process that replays waits for when it has nothing to do, or cannot go on (`WAIT_EVENT_*`, PG 15 to 19). */
const WAITS: Readonly<Record<string, Standing>> = {
  RecoveryApplyDelay: DELAYED,
  RecoveryRetrieveRetryInterval: STARVED,
  RecoveryWalStream: STARVED,
  RecoveryConflictSnapshot: HELD_UP,
  RecoveryConflictTablespace: HELD_UP,
  Lock: HELD_UP,
  BufferPin: HELD_UP,
  // So is that called from 19 on.
  BufferCleanup: HELD_UP,
};

export interface PauseWatchOptions extends AskOptions {
  /** Where it was sent. */
  readonly stopLsn: Lsn;
  readonly segmentSize: number;
  readonly now?: () => number;
  /** Instead of the server, what it would answer. */
  readonly ask?: () => Promise<ReplayAnswer | undefined>;
}

/**
 * Watches a server that an earlier run has sent to its target, and that somebody may have started anew since: with a log elsewhere, and
 * with other settings. So it is asked itself, and each wait for it ends with what is seen of it.
 */
export class PauseWatch {
  readonly #options: PauseWatchOptions;
  readonly #now: () => number;
  /** Where it stood when it was last seen to move, or to answer, and when that was. */
  #seen: { readonly at: number; readonly lsn: Lsn | undefined };

  constructor(options: PauseWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#seen = { at: this.#now(), lsn: undefined };
  }

  /**
   * Whether it pauses at its target. Rejects with `SERVER_UNSUITABLE` when nobody can tell for a while, when it pauses elsewhere, has gone
   * on behind its target, or waits for something that does not come; with `ABORTED` on the signal.
   */
  async isPaused({ isPaused, isOfServer }: OwnWords): Promise<boolean> {
    const answer = await this.#ask();
    if (answer instanceof SoarError) {
      if (isOfServer) return isPaused;
      this.#requirePatience(
        SILENT_MS,
        `it was started again since the log of its recovery was written, and cannot be asked whether it pauses: ${answer.message}`,
      );
      return false;
    }
    if (answer?.recovering !== true) return false;
    if (answer.state === "paused") return this.#requireAtTarget(answer);
    this.#requireOnWay(answer);
    return false;
  }

  async #ask(): Promise<ReplayAnswer | SoarError | undefined> {
    try {
      const { ask } = this.#options;
      return ask === undefined ? (await askReplay(this.#options)).answer : await ask();
    } catch (error) {
      if (isSoarError(error) && !hasErrorCode(error, "ABORTED")) return error;
      throw error;
    }
  }

  /** "paused" is also what it says of `pg_wal_replay_pause()`, and where WAL asks for larger settings than it has: in mid-replay. */
  #requireAtTarget({ lsn: text }: ReplayAnswer): true {
    const { stopLsn, segmentSize, dataDir } = this.#options;
    const lsn = text === null ? undefined : parseLsn(text);
    const isBefore = lsn === undefined || lsn < stopLsn;
    if (!isBefore && lsn <= stopLsn + BigInt(segmentSize)) return true;
    throw this.#unsuitable(
      `its server pauses, but not at its target: replay stands at ${text ?? "no position"}, ${isBefore ? "before" : "behind"} the target at ${formatLsn(stopLsn)}`,
      isBefore
        ? `Look into its log for why it pauses. Where somebody has paused it, let it go on: SELECT pg_wal_replay_resume(). Where its settings are too small for the WAL, stop it (pg_ctl -D '${dataDir}' stop) and start it with larger ones. Then give the command again. Nothing was changed.`
        : undefined,
    );
  }

  #requireOnWay({ lsn: text, waits }: ReplayAnswer): void {
    const { stopLsn, segmentSize } = this.#options;
    const lsn = text === null ? undefined : parseLsn(text);
    if (lsn !== undefined && lsn > stopLsn + BigInt(segmentSize))
      throw this.#unsuitable(
        `its server does not pause: it has replayed up to ${formatLsn(lsn)}, behind its target at ${formatLsn(stopLsn)}, and goes on`,
      );
    const wait = waits === null ? undefined : WAITS[waits];
    if (lsn !== this.#seen.lsn || wait === undefined) this.#seen = { at: this.#now(), lsn };
    else
      this.#requirePatience(
        wait.patienceMs,
        `${wait.words}, and replay has stood at ${text ?? "no position"}, before its target at ${formatLsn(stopLsn)}`,
        wait.hint,
      );
  }

  #requirePatience(patienceMs: number, fact: string, hint?: string): void {
    const waitedMs = this.#now() - this.#seen.at;
    if (waitedMs >= patienceMs)
      throw this.#unsuitable(
        `its server does not pause: ${fact} (seen for ${Math.floor(waitedMs / 1000)} seconds)`,
        hint,
      );
  }

  #unsuitable(fact: string, hint?: string): SoarError {
    const { dataDir } = this.#options;
    return new SoarError("SERVER_UNSUITABLE", `unable to go on with the restore in '${dataDir}': ${fact}`, {
      hint:
        hint ??
        `Look at the settings and the log with which it was started. When it pauses, or was let go on, give the command again; to begin anew instead, stop it first: pg_ctl -D '${dataDir}' stop. Nothing was changed.`,
    });
  }
}
