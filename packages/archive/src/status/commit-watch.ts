import type { PositionHistory } from "../server-wal/position-history.ts";
import type { TailEvent } from "../tail/tail-event.ts";

/** What the server says about commits that wait for a synchronous receiver. */
export interface CommitLook {
  /** `synchronous_standby_names` has this receiver in it. */
  readonly isNamed: boolean;
  /** Sessions that wait for a receiver; undefined for a role that may not see them. */
  readonly sessions: number | undefined;
  readonly atMs: number;
}

/** How long commits are held up in synchronous mode, as the daemon tells it. */
export interface HeldCommits {
  /** 0 while none waits. To the accuracy with which the server is asked. */
  readonly waitingSeconds: number;
  readonly sessions: number | undefined;
}

export type CommitEvent =
  /** Commits wait for the bucket; told again every minute. */
  | ({ readonly type: "commits-held" } & HeldCommits)
  /** They went on; `waitingSeconds` is how long they had waited. */
  | ({ readonly type: "commits-released" } & HeldCommits);

export interface CommitWatch {
  note(event: TailEvent): void;
  look(look: CommitLook): void;
  held(nowMs: number): HeldCommits;
}

const TOLERATED_MS = 5_000;
const REPEAT_MS = 60_000;

/**
 * Notices when synchronous mode holds commits up: WAL that was not confirmed for some seconds, while the server waits for
 * this receiver. Positions tell it to every role; where sessions can be seen, one has to be waiting.
 */
export function createCommitWatch(history: PositionHistory, onEvent: (event: CommitEvent) => void): CommitWatch {
  let confirmed: bigint | undefined;
  let sessions: number | undefined;
  let heldSinceMs: number | undefined;
  let toldAtMs: number | undefined;
  let longest = 0;
  let lookedAtMs = -Infinity;
  const held = (nowMs: number): HeldCommits => {
    const since = heldSinceMs === undefined ? undefined : history.firstBeyond(confirmed ?? -1n);
    const waitingMs =
      since === undefined || heldSinceMs === undefined ? 0 : Math.max(0, nowMs - Math.max(since, heldSinceMs));
    return { waitingSeconds: waitingMs / 1000, sessions };
  };
  return {
    held,
    note(event) {
      if (event.type === "tail-confirmed") confirmed = event.lsn;
      // Another timeline may begin further back.
      if (event.type === "tail-connected" && confirmed !== undefined && event.startLsn < confirmed)
        confirmed = event.startLsn;
    },
    look({ isNamed, sessions: seen, atMs }) {
      sessions = seen;
      // The clock was set back.
      const back = Math.max(0, lookedAtMs - atMs);
      lookedAtMs = atMs;
      if (heldSinceMs !== undefined) heldSinceMs -= back;
      if (toldAtMs !== undefined) toldAtMs -= back;
      const isHeld = isNamed && seen !== 0 && history.firstBeyond(confirmed ?? -1n) !== undefined;
      heldSinceMs = isHeld ? (heldSinceMs ?? atMs) : undefined;
      const now = held(atMs);
      if (now.waitingSeconds * 1000 >= TOLERATED_MS) {
        longest = now.waitingSeconds;
        if (toldAtMs !== undefined && atMs - toldAtMs < REPEAT_MS) return;
        toldAtMs = atMs;
        onEvent({ type: "commits-held", ...now });
      } else if (toldAtMs !== undefined) {
        toldAtMs = undefined;
        onEvent({ type: "commits-released", waitingSeconds: longest, sessions });
      }
    },
  };
}
