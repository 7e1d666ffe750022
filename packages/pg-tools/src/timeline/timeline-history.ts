import { SoarError } from "@soar/errors";
import { formatLsn, type Lsn, parseLsn } from "../wal-names/lsn.ts";

/** One ancestor of a timeline. */
export interface TimelineHistoryEntry {
  readonly timeline: number;
  /** First LSN that no longer belongs to this ancestor, but to its successor in the list. */
  readonly switchLsn: Lsn;
  /** Why recovery ended there, in PostgreSQL's words; for humans only. */
  readonly reason: string;
}

/** The content of a `.history` file: how a timeline descends from the first one. */
export interface TimelineHistory {
  readonly timeline: number;
  /** Ancestors, oldest first, with switch points that do not go backwards. Empty for a timeline that initdb made. */
  readonly entries: readonly TimelineHistoryEntry[];
}

/**
 * Reads the text of `<timeline>.history` with the rules of `readTimeLineHistory` in timeline.c: comments and blank
 * lines are skipped, timelines must increase and stay below the file's own. What no LSN belongs to is left out (`append`).
 * Throws FORMAT_INVALID.
 */
export function parseTimelineHistory(text: string, timeline: number): TimelineHistory {
  const entries: TimelineHistoryEntry[] = [];
  for (const entry of parseLines(text, timeline)) append(entries, entry);
  return { timeline, entries };
}

/**
 * Where a timeline was left by the one whose history this is: no LSN behind it belongs to both. Undefined for one that is no
 * ancestor. Of a parent that has no LSN of its own, which the parsed history leaves out, this is the younger point, too: recovery
 * reads such a timeline's segments all the same.
 * Throws FORMAT_INVALID.
 */
export function findSwitchPoint(text: string, timeline: number, ancestor: number): Lsn | undefined {
  const lines = parseLines(text, timeline);
  const from = lines.findIndex((line) => line.timeline === ancestor);
  const points = from === -1 ? [] : lines.slice(from).map(({ switchLsn }) => switchLsn);
  return points.toSorted((a, b) => Number(a - b))[0];
}

function parseLines(text: string, timeline: number): TimelineHistoryEntry[] {
  const entries: TimelineHistoryEntry[] = [];
  let youngest = 0;
  for (const line of text.split("\n")) {
    if (/^\s*(#|$)/.test(line)) continue;
    const entry = parseEntry(line, timeline);
    if (entry.timeline <= youngest) throw invalidHistory(timeline, "its timelines do not increase");
    entries.push(entry);
    youngest = entry.timeline;
  }
  if (youngest >= timeline) throw invalidHistory(timeline, `it names timeline ${youngest} as an ancestor`);
  return entries;
}

/**
 * PostgreSQL names as parent the timeline that recovery was told to follow, also where it stopped before that one's fork: the
 * switch points go backwards then. `tliOfPointInHistory` asks the youngest first, so that the parent has no LSN of its own, and its
 * ancestors end at the younger point.
 */
function append(entries: TimelineHistoryEntry[], entry: TimelineHistoryEntry): void {
  const { switchLsn, reason } = entry;
  if (!entries.some((older) => older.switchLsn > switchLsn)) {
    entries.push(entry);
    return;
  }
  const before = entries.filter((older) => older.switchLsn < switchLsn).length;
  const left = entries.slice(before, before + 1).map(({ timeline }) => ({ timeline, switchLsn, reason }));
  entries.splice(before, entries.length, ...left);
}

function parseEntry(line: string, timeline: number): TimelineHistoryEntry {
  const [, ancestor, lsn, reason = ""] =
    /^\s*(\d{1,10})\s+([0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8})(?:\s+(.*?))?\s*$/.exec(line) ?? [];
  if (ancestor === undefined || lsn === undefined)
    throw invalidHistory(timeline, `the line '${line.slice(0, 80)}' is not a timeline and an LSN`);
  return { timeline: Number(ancestor), switchLsn: parseLsn(lsn), reason };
}

function invalidHistory(timeline: number, fact: string): SoarError {
  return new SoarError("FORMAT_INVALID", `unable to read the history of timeline ${timeline}: ${fact}`, {
    hint: "Compare the .history file with the one in pg_wal of a server on that timeline.",
  });
}

/**
 * The text that PostgreSQL up to 18 writes (`writeTimeLineHistory`; 19 has zeros in the LSN): the parent's file, an empty line, one
 * new entry. Equal histories have equal texts, whichever major wrote them. An archived file is never rewritten with this:
 * reasons may have held a trailing newline that parsing drops.
 */
export function formatTimelineHistory(history: TimelineHistory): string {
  return history.entries
    .map((entry) => `${entry.timeline}\t${formatLsn(entry.switchLsn)}\t${entry.reason}\n`)
    .join("\n");
}
