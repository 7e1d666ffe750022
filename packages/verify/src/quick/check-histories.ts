import { isDeepStrictEqual } from "node:util";
import { formatHistoryFileName, formatLsn, type TimelineHistory } from "@soar/pg-tools";
import { readTimelines, walKey } from "@soar/repository/wal";
import type { CallOptions } from "@soar/storage";
import { findingOf, type Finding } from "../finding.ts";
import type { Survey } from "../survey/survey-repository.ts";

export interface CheckedHistories {
  readonly histories: readonly TimelineHistory[];
  readonly findings: readonly Finding[];
}

/** Histories of all timelines, whether each goes on where its parent's ends, and what is wrong with them. */
export async function checkHistories(
  { store, timelines }: Pick<Survey, "store" | "timelines">,
  options: CallOptions,
): Promise<CheckedHistories> {
  const { histories, unreadable } = await readTimelines(store, timelines, options);
  const findings = unreadable.map(({ timeline, reason }) =>
    findingOf(reason, {
      kind: reason.code === "WAL_MISSING" ? "history-missing" : "history-damaged",
      where: historyKey(timeline),
    }),
  );
  return { histories, findings: [...findings, ...histories.flatMap((history) => unlikeParent(history, histories))] };
}

/** A history repeats that of its parent and adds where it left it. */
function unlikeParent({ timeline, entries }: TimelineHistory, histories: readonly TimelineHistory[]): Finding[] {
  const last = entries.at(-1);
  if (last === undefined) return [];
  const parent =
    last.timeline === 1 ? { entries: [] } : histories.find((history) => history.timeline === last.timeline);
  if (parent === undefined)
    return [
      damagedHistory(
        timeline,
        `it says that timeline ${timeline} left timeline ${last.timeline}, of which there is nothing in the bucket`,
      ),
    ];
  const before = entries.slice(0, -1).map(({ timeline: ancestor, switchLsn }) => [ancestor, formatLsn(switchLsn)]);
  const expected = parent.entries.map(({ timeline: ancestor, switchLsn }) => [ancestor, formatLsn(switchLsn)]);
  return isDeepStrictEqual(before, expected)
    ? []
    : [damagedHistory(timeline, `its ancestors are not those of timeline ${last.timeline}`)];
}

export function damagedHistory(timeline: number, what: string): Finding {
  const name = formatHistoryFileName(timeline);
  return {
    kind: "history-damaged",
    severity: "error",
    where: historyKey(timeline),
    what,
    advice: `Restore an older version of the object from the bucket, or remove it and archive ${name} again from pg_wal of a server on that timeline.`,
  };
}

function historyKey(timeline: number): string {
  return walKey(formatHistoryFileName(timeline), "none");
}
