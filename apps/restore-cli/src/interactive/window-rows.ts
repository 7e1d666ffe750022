import type { RangeHole, RecoveryWindow, RestorableRange } from "@soar/repository/window";
import type { ListRow } from "./screens.ts";
import { formatInZone } from "./zoned-time.ts";

/** A stretch that begins with a backup and can be restored to any instant of, or the end of everything. */
export type Stretch =
  | { readonly kind: "latest"; readonly timeline: number | undefined }
  /** No transaction ended behind the backup: there is no other state than that of its end. */
  | { readonly kind: "end-of-backup"; readonly label: string; readonly timeline: number | undefined }
  | {
      readonly kind: "range";
      /** Instants that can be restored, in ms: whole seconds, both included. */
      readonly fromMs: number;
      readonly toMs: number;
      /** The instant that is offered first. */
      readonly startMs: number;
      /** Backups that recovery can begin with, oldest first, with the ms from which on each can be used. */
      readonly backups: readonly UsableBackup[];
      /** Undefined for the newest, which needs no naming. */
      readonly timeline: number | undefined;
    };

export interface UsableBackup {
  readonly label: string;
  readonly usableFromMs: number;
}

export interface WindowRowsOptions {
  /** When each backup was complete, by label. */
  readonly stoppedAt: ReadonlyMap<string, string>;
  readonly zone: string;
}

/** The restorable window as a list, newest first: one row per backup, holes where they are. */
export function windowRows({ timelines, unreadable }: RecoveryWindow, options: WindowRowsOptions): ListRow<Stretch>[] {
  const rows: ListRow<Stretch>[] = [];
  for (const [place, { timeline, ranges, unusable }] of timelines.entries()) {
    const named = place === 0 ? undefined : timeline;
    if (ranges.length > 0) rows.push({ text: `timeline ${timeline}${place === 0 ? "" : ", an older branch"}` });
    for (const [index, range] of ranges.toReversed().entries()) {
      if (range.hole !== undefined) rows.push({ text: `-- ${describeHole(range.hole)}` });
      // The end of a branch can be asked for by name; the end before a hole only by time.
      if (index === 0 && range.hole === undefined)
        rows.push({ text: `latest: the end of the WAL in the bucket`, value: { kind: "latest", timeline: named } });
      rows.push(...stretches(range, named, options).toReversed());
    }
    for (const label of unusable)
      rows.push({ text: `-- backup ${label} cannot be used: WAL that it needs is missing` });
  }
  for (const { timeline, reason } of unreadable)
    rows.push({ text: `-- timeline ${timeline} cannot be told: ${reason}` });
  return rows;
}

function stretches(
  range: RestorableRange,
  timeline: number | undefined,
  { stoppedAt, zone }: WindowRowsOptions,
): ListRow<Stretch>[] {
  const backups = range.backups.map((label) => ({
    label,
    usableFromMs: firstUsable(stoppedAt.get(label) ?? range.from),
  }));
  const [newest] = backups.slice(-1);
  if (range.to === undefined)
    return newest === undefined
      ? []
      : [
          {
            text: `${formatInZone(newest.usableFromMs, zone)}   end of backup ${newest.label}, no commit since`,
            value: { kind: "end-of-backup", label: newest.label, timeline },
          },
        ];
  // At the last commit itself PostgreSQL would go on and look for a later one.
  const lastMs = Math.floor((Date.parse(range.to) - 1) / 1000) * 1000;
  const fromMs = Math.max(firstUsable(range.from), backups[0]?.usableFromMs ?? 0);
  const limits = { fromMs, toMs: Math.max(fromMs, lastMs), backups, timeline };
  return backups.map((backup, index): ListRow<Stretch> => {
    const beginMs = Math.max(fromMs, backup.usableFromMs);
    const endMs = Math.max(beginMs, Math.min(limits.toMs, (backups[index + 1]?.usableFromMs ?? Infinity) - 1000));
    const text = `${formatInZone(beginMs, zone)} to ${formatInZone(endMs, zone)}   backup ${backup.label}`;
    return { text, value: { kind: "range", ...limits, startMs: endMs } };
  });
}

/** A time within a second of the backup's end is not told apart from one before it. */
function firstUsable(instant: string): number {
  return Math.ceil(Date.parse(instant) / 1000) * 1000 + 1000;
}

function describeHole({ from, count, declared, expired }: RangeHole): string {
  if (expired) return `expired: ${count === 1 ? from : `${count} segments from ${from} on`}`;
  const what = count === 1 ? `hole: ${from} is missing` : `hole: ${count} segments from ${from} on`;
  return declared === undefined ? what : `${what}, given up by ${declared.by}`;
}
