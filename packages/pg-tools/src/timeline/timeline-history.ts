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
  /** Ancestors, oldest first. Empty for a timeline that initdb made. */
  readonly entries: readonly TimelineHistoryEntry[];
}

/**
 * Reads the text of `<timeline>.history` with the rules of `readTimeLineHistory` in timeline.c: comments and blank
 * lines are skipped, timelines must increase and stay below the file's own. Throws FORMAT_INVALID.
 */
export function parseTimelineHistory(text: string, timeline: number): TimelineHistory {
  const entries: TimelineHistoryEntry[] = [];
  let youngest = { timeline: 0, switchLsn: 0n };
  for (const line of text.split("\n")) {
    if (/^\s*(#|$)/.test(line)) continue;
    const entry = parseEntry(line, timeline);
    if (entry.timeline <= youngest.timeline) throw invalidHistory(timeline, "its timelines do not increase");
    // PostgreSQL does not look at this, but would never find a segment for the empty stretch.
    if (entry.switchLsn < youngest.switchLsn) throw invalidHistory(timeline, "its switch points go backwards");
    entries.push(entry);
    youngest = entry;
  }
  if (youngest.timeline >= timeline)
    throw invalidHistory(timeline, `it names timeline ${youngest.timeline} as an ancestor`);
  return { timeline, entries };
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
 * The text that PostgreSQL writes (`writeTimeLineHistory`): the parent's file, an empty line, one new entry.
 * An archived file is never rewritten with this: reasons may have held a trailing newline that parsing drops.
 */
export function formatTimelineHistory(history: TimelineHistory): string {
  return history.entries
    .map((entry) => `${entry.timeline}\t${formatLsn(entry.switchLsn)}\t${entry.reason}\n`)
    .join("\n");
}
