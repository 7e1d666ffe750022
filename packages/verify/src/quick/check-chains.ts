import {
  formatWalSegment,
  isOnLineage,
  lsnOfSegmentIndex,
  parseLsn,
  parseWalSegment,
  type TimelineHistory,
} from "@soar/pg-tools";
import type { BackupRecord } from "@soar/repository";
import { assembleChain, explainHole, type AbsentWal, type ChainHole, type HolePart } from "@soar/repository/chain";
import type { GapRecord } from "@soar/repository/markers";
import type { TimelineSegments } from "@soar/repository/wal";
import type { Finding } from "../finding.ts";

export interface ChainState extends AbsentWal {
  readonly backups: readonly BackupRecord[];
  readonly histories: readonly TimelineHistory[];
  readonly inventories: ReadonlyMap<number, TimelineSegments>;
}

/**
 * Reconciles every backup with the WAL: from its first segment on, on every branch that leads from it, no segment may
 * be missing before the last one that is there, unless expiry removed it or it was given up, and the segments that make the
 * backup consistent must all be there.
 */
export function checkChains(state: ChainState): Finding[] {
  const found = new Map<string, Finding>();
  for (const backup of state.backups) {
    for (const history of state.histories.filter((candidate) => leadsFrom(candidate, backup))) {
      for (const finding of chainFindings(backup, history, state))
        found.set(`${finding.where} ${finding.what}`, finding);
    }
  }
  return [...found.values()];
}

function leadsFrom(history: TimelineHistory, backup: BackupRecord): boolean {
  return isOnLineage(history, { timeline: backup.timeline, lsn: parseLsn(backup.stopLsn) });
}

function chainFindings(backup: BackupRecord, history: TimelineHistory, state: ChainState): Finding[] {
  const size = backup.walSegmentSize;
  const first = parseWalSegment(backup.firstSegment, size).index;
  const last = parseWalSegment(backup.lastSegment, size).index;
  const chain = assembleChain(history, size, first, state.inventories);
  const findings = chain.holes
    .flatMap((hole) => explainHole(hole, size, state))
    .flatMap((part) => describeAbsence(part, state, { history, size }));
  if (chain.endIndex > last) return findings;
  // The chain ends at the first segment that is not there, whether later ones are there or not.
  const absent = formatWalSegment({ timeline: backup.timeline, index: chain.endIndex }, size);
  return [...findings, inconsistent(backup, chain.holes[0]?.from ?? absent)];
}

function describeAbsence(
  part: HolePart,
  state: ChainState,
  { history, size }: { readonly history: TimelineHistory; readonly size: number },
): Finding[] {
  if (part.cause === "expired") return [];
  if (part.gap === undefined) return [missing(part)];
  const end = lsnOfSegmentIndex(parseWalSegment(part.to, size).index + 1, size);
  const covered = state.backups.some((backup) => leadsFrom(history, backup) && parseLsn(backup.startLsn) >= end);
  return [givenUp(part, part.gap, covered)];
}

function givenUp(part: HolePart, gap: GapRecord, covered: boolean): Finding {
  return {
    kind: "wal-gap-declared",
    severity: covered ? "notice" : "error",
    where: part.from,
    what: `${countOf(part)} given up by ${gap.declaredBy} at ${gap.declaredAt} (${gap.reason})${covered ? "" : ", and no backup was taken since"}`,
    advice: covered
      ? "No instant within it can be restored. Nothing to do."
      : "Nothing behind it can be restored. Take a base backup now: soar-base-backup.",
  };
}

function countOf({ count, to }: Pick<ChainHole, "count" | "to">): string {
  return count === 1 ? "this segment was" : `${count} segments, to ${to}, were`;
}

function missing({ from, to, count }: Pick<ChainHole, "from" | "to" | "count">): Finding {
  return {
    kind: "wal-missing",
    severity: "error",
    where: from,
    what:
      count === 1
        ? "this segment is missing, although later ones are there"
        : `${count} segments are missing, to ${to}, although later ones are there`,
    advice:
      "If they are still in pg_wal of the server, archive them with soar-wal-archive. Nothing between this point and the next base backup can be restored: take one now.",
  };
}

function inconsistent(backup: BackupRecord, absent: string): Finding {
  const { firstSegment: first, lastSegment: last } = backup;
  return {
    kind: "backup-inconsistent",
    severity: "error",
    where: backup.label,
    what: `it cannot be made consistent: ${first === last ? `it needs ${first}, which is not there` : `it needs ${first} to ${last}, and from ${absent} on not all is there`}`,
    advice:
      "If the segment is still in pg_wal of the server, archive it with soar-wal-archive; else this backup is lost: take a new one.",
  };
}
