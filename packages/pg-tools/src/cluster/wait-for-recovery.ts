import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { namesIfPresent, readTextIfPresent } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { parseTimelineHistory } from "../timeline/timeline-history.ts";
import { formatHistoryFileName } from "../wal-names/wal-file-name.ts";
import { isAlive } from "./cluster-processes.ts";
import { readClusterState } from "./cluster-state.ts";
import { readLiveControlFile } from "./live-control-file.ts";
import { applyLogEntry, emptyRecoveryLog, type RecoveryEvent, type RecoveryLog } from "./recovery-log.ts";
import { deathError, judgeDeath } from "./server-death.ts";
import { decisiveEntries, type LogEntry, LogFollower, serverProcesses } from "./server-log.ts";
import type { StartedCluster } from "./start-cluster.ts";

export interface WaitForRecoveryOptions {
  readonly cluster: StartedCluster;
  /**
   * `end`: until the server has left recovery, has paused at its target, or has shut down there, whichever its target
   * action asks for. `consistent`: until it takes read-only connections; for a standby, which never ends recovery.
   */
  readonly until?: "end" | "consistent";
  readonly onEvent?: (event: RecoveryEvent) => void;
  readonly signal?: AbortSignal | undefined;
  /** Asked while the server takes connections, and believed instead of a log that may be that of another start. */
  readonly isPaused?: ((words: OwnWords) => Promise<boolean>) | undefined;
}

/** What a log says of a server that may have been started anew since, with its log elsewhere. */
export interface OwnWords {
  readonly isPaused: boolean;
  /** Whether the very server that runs has written into it. */
  readonly isOfServer: boolean;
}

export interface RecoveryOutcome {
  /** `promoted` takes writes on a new timeline; `shut-down` is what target action `shutdown` does. */
  readonly kind: "promoted" | "paused" | "shut-down" | "consistent";
  /** The timeline that the server is on: the new one after promotion. */
  readonly timeline: number;
  /** End of what was replayed, exact. Undefined unless promoted: a paused server or a standby tells by `pg_last_wal_replay_lsn()`. */
  readonly reachedLsn: bigint | undefined;
  /** From WAL, of the last transaction that was replayed; undefined when there was none. */
  readonly lastCommitTime: Date | undefined;
  /** The server's words on why it stopped; undefined when it went on to the end of the archive. */
  readonly stop: string | undefined;
  /** Segments that restore_command delivered, each counted once. */
  readonly restoredFiles: number;
  readonly lastRestoredFile: string | undefined;
}

const POLL_MS = 50;
/** Each question is a connection. */
const ASK_MS = 200;

/**
 * Watches a server that `startCluster` started until recovery is over, and tells how it ended. It believes the
 * postmaster's own status, pg_control and the log together: a server that answers as a hot standby, which is enough for
 * `pg_ctl start` to report success, may still die in recovery later.
 *
 * Rejects with the fatal lines of the log when the server dies at any time: `RECOVERY_FAILED`, or `SERVER_START_FAILED`
 * where what it died of has to do with no recovery; with `RECOVERY_FAILED`, too, when it pauses because its settings are too small. `ABORTED` on the signal (the server then goes on).
 */
export async function waitForRecovery(options: WaitForRecoveryOptions): Promise<RecoveryOutcome> {
  const { cluster } = options;
  const follower = new LogFollower(cluster.logFile, cluster.logOffset);
  const log = emptyRecoveryLog();
  const entries: LogEntry[] = [];
  let isOfServer = false;
  const catchUp = async (): Promise<void> => {
    for (const entry of await follower.read()) {
      entries.push(entry);
      isOfServer ||= entry.pid === cluster.pid;
      const event = applyLogEntry(log, entry);
      if (event !== undefined) options.onEvent?.(event);
    }
    // Long recoveries restore thousands of segments; only the end explains a death.
    entries.splice(0, entries.length - 500);
  };
  for (;;) {
    if (options.signal?.aborted === true)
      throw new SoarError("ABORTED", `unable to follow the recovery of '${cluster.dataDir}': stopped by the caller`, {
        cause: options.signal.reason,
      });
    // Liveness first, then the log: what it wrote before it died is there by now.
    const alive = await isAlive(cluster.pid);
    const kind = alive ? await currentStage(options, log, isOfServer) : undefined;
    await catchUp();
    if (kind !== undefined) return await describeOutcome(kind, cluster, log);
    if (!alive) return await afterDeath(cluster, log, entries);
    await delay(options.isPaused === undefined ? POLL_MS : ASK_MS);
  }
}

async function currentStage(
  { cluster, until = "end", isPaused }: WaitForRecoveryOptions,
  log: RecoveryLog,
  isOfServer: boolean,
): Promise<"promoted" | "paused" | "consistent" | undefined> {
  const { dataDir } = cluster;
  const { status } = await readClusterState(dataDir);
  // The log of one that somebody else has started again is elsewhere. "ready" is also what a hot standby writes of itself, in the middle of recovery.
  if ((log.ready || status === "ready") && (await readLiveControlFile(dataDir)).state === "in-production")
    return "promoted";
  if (status !== "ready") return undefined;
  // Behind the pause redo is over: somebody has resumed it, and promotion is on its way.
  const words = { isPaused: log.paused && log.redoDoneLsn === undefined, isOfServer };
  if (await (isPaused?.(words) ?? words.isPaused)) return "paused";
  if (isPaused === undefined && log.heldUp !== undefined) throw heldUpError(cluster, log.heldUp);
  return until === "consistent" && log.consistentLsn !== undefined ? "consistent" : undefined;
}

/** It waits for somebody to let it go on, and ends then: nobody has to wait for that. */
function heldUpError({ dataDir, logFile }: StartedCluster, words: string): SoarError {
  return new SoarError("RECOVERY_FAILED", `unable to recover '${dataDir}': it has paused before its target: ${words}`, {
    hint: `Read the server's log in '${logFile}', which names the setting. Stop the server (pg_ctl -D '${dataDir}' stop) and start it with a larger value: recovery goes on.`,
  });
}

async function describeOutcome(
  kind: RecoveryOutcome["kind"],
  { dataDir }: StartedCluster,
  log: RecoveryLog,
): Promise<RecoveryOutcome> {
  const timeline =
    kind === "promoted"
      ? (log.newTimeline ?? (await newestTimeline(dataDir)))
      : (await readLiveControlFile(dataDir)).timeline;
  const reachedLsn = kind === "promoted" ? ((await switchLsn(dataDir, timeline)) ?? log.redoDoneLsn) : log.redoDoneLsn;
  const { lastCommitTime, stop, restoredSegments, lastRestoredFile } = log;
  const restoredFiles = restoredSegments.size;
  return { kind, timeline, reachedLsn, lastCommitTime, stop, restoredFiles, lastRestoredFile };
}

async function afterDeath(
  cluster: StartedCluster,
  log: RecoveryLog,
  entries: readonly LogEntry[],
): Promise<RecoveryOutcome> {
  const atTarget = log.stop !== undefined && entries.some(({ text }) => text.startsWith("shutdown at recovery target"));
  if (
    atTarget &&
    decisiveEntries(entries, serverProcesses(entries, cluster.pid)).size === 0 &&
    (await readLiveControlFile(cluster.dataDir)).state === "shut-down-in-recovery"
  )
    return await describeOutcome("shut-down", cluster, log);
  throw deathError(judgeDeath(entries, cluster), cluster);
}

/** After pg_promote() pg_control names the old one until the next checkpoint. */
async function newestTimeline(dataDir: string): Promise<number> {
  const { timeline } = await readLiveControlFile(dataDir);
  const names = (await namesIfPresent(join(dataDir, "pg_wal"))) ?? [];
  return Math.max(
    timeline,
    ...names.filter((name) => /^[0-9A-F]{24}$/.test(name)).map((name) => parseInt(name.slice(0, 8), 16)),
  );
}

/** Where the new timeline leaves the old one is written into its history file: the exact end of what was replayed. */
async function switchLsn(dataDir: string, timeline: number): Promise<bigint | undefined> {
  const text = await readTextIfPresent(join(dataDir, "pg_wal", formatHistoryFileName(timeline)));
  // Crash recovery stays on its timeline, and the first one has no history.
  return text === undefined ? undefined : parseTimelineHistory(text, timeline).entries.at(-1)?.switchLsn;
}
