import type { LogEntry } from "./server-log.ts";
import { parseLsn } from "../wal-names/lsn.ts";

/** What recovery has said of itself so far. Messages of src/backend/access/transam/xlogrecovery.c and xlog.c, in English by `CAPTURE_SETTINGS`. */
export interface RecoveryLog {
  /** First record to replay. */
  redoStartLsn: bigint | undefined;
  consistentLsn: bigint | undefined;
  /** Start of the last record that was replayed. */
  redoDoneLsn: bigint | undefined;
  /** Commit or abort time of the last transaction that was replayed, from WAL. */
  lastCommitTime: Date | undefined;
  /** The server's words on why it stopped, for example `recovery stopping before commit of transaction 735, time ...`. */
  stop: string | undefined;
  /** At its target: `pausing at the end of recovery`. Before it, "recovery has paused" is what any other pause says (recoveryPausesHere, PG 14 to 18). */
  paused: boolean;
  /** What the server said when it paused because the WAL asks for larger settings than it has: let go on, it ends (RecoveryRequiresIntParameter). */
  heldUp: string | undefined;
  /** Recovery has ended and the server takes writes. */
  ready: boolean;
  /** The timeline that promotion began. */
  newTimeline: number | undefined;
  /** Segments that restore_command delivered, each once: recovery asks for some again. */
  readonly restoredSegments: Set<string>;
  /** The last of all files that it delivered. */
  lastRestoredFile: string | undefined;
}

export type RecoveryEvent =
  | { readonly type: "redo-started"; readonly lsn: bigint }
  | { readonly type: "file-restored"; readonly name: string; readonly count: number }
  | { readonly type: "consistent"; readonly lsn: bigint }
  | { readonly type: "stopping"; readonly text: string }
  | { readonly type: "redo-done"; readonly lsn: bigint };

export function emptyRecoveryLog(): RecoveryLog {
  return {
    redoStartLsn: undefined,
    consistentLsn: undefined,
    redoDoneLsn: undefined,
    lastCommitTime: undefined,
    stop: undefined,
    paused: false,
    heldUp: undefined,
    ready: false,
    newTimeline: undefined,
    restoredSegments: new Set(),
    lastRestoredFile: undefined,
  };
}

const SEGMENT = /^[0-9A-F]{24}$/;

/** Takes one entry in; returns what is worth telling. */
export function applyLogEntry(log: RecoveryLog, { severity, text }: LogEntry): RecoveryEvent | undefined {
  if (severity === "WARNING" && text.startsWith("hot standby is not possible because of insufficient"))
    log.heldUp = text;
  if (severity !== "LOG") return undefined;
  const lsn = lsnIn(text);
  const restored = /^restored log file "([^"]+)" from archive/.exec(text)?.[1];
  if (restored !== undefined) {
    // Histories of timelines hold nothing that is replayed.
    if (SEGMENT.test(restored)) log.restoredSegments.add(restored);
    log.lastRestoredFile = restored;
    return { type: "file-restored", name: restored, count: log.restoredSegments.size };
  }
  if (text.startsWith("redo starts at") && lsn !== undefined) {
    // Begun anew, after a crash or by whoever has started the server again: it is not where it was.
    Object.assign(log, {
      consistentLsn: undefined,
      redoDoneLsn: undefined,
      paused: false,
      heldUp: undefined,
      ready: false,
    });
    return { type: "redo-started", lsn: (log.redoStartLsn = lsn) };
  }
  if (text.startsWith("consistent recovery state reached") && lsn !== undefined)
    return { type: "consistent", lsn: (log.consistentLsn = lsn) };
  if (text.startsWith("redo done at") && lsn !== undefined) return { type: "redo-done", lsn: (log.redoDoneLsn = lsn) };
  if (text.startsWith("recovery stopping ")) return { type: "stopping", text: (log.stop = text) };
  if (text.startsWith("pausing at the end of recovery")) log.paused = true;
  if (text === "database system is ready to accept connections") log.ready = true;
  const timeline = /^selected new timeline ID: (\d+)$/.exec(text)?.[1];
  if (timeline !== undefined) log.newTimeline = Number(timeline);
  const time = /^last completed transaction was at log time (.+)$/.exec(text)?.[1];
  if (time !== undefined) log.lastCommitTime = parseLogTime(time);
  return undefined;
}

function lsnIn(text: string): bigint | undefined {
  const found = /\b([0-9A-F]{1,8}\/[0-9A-F]{1,8})\b/.exec(text)?.[1];
  return found === undefined ? undefined : parseLsn(found);
}

/** `2025-01-10 14:29:58.123456+01`, always with a numeric offset (timestamptz_to_str). Microseconds are cut to milliseconds. */
function parseLogTime(text: string): Date | undefined {
  const [, day, time, fraction = "", hours, minutes = "00"] =
    /^(\d+-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d)(?::?(\d\d))?/.exec(text) ?? [];
  if (day === undefined) return undefined;
  return new Date(`${day}T${time}${fraction.slice(0, 4)}${hours}:${minutes}`);
}
