import { formatHistoryFileName, isOnLineage, parseLsn, parseWalSegment, type TimelineHistory } from "@soar/pg-tools";
import { assembleChain, requireTimelineHistory, walKey, type BackupRecord, type TimelineSegments } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { findingOf, type Finding } from "./finding.ts";

/** Histories of all timelines, and what is wrong with them. */
export async function checkHistories(store: ObjectStore, timelines: readonly number[], options: CallOptions): Promise<{ histories: TimelineHistory[]; findings: Finding[] }> {
  const histories: TimelineHistory[] = [];
  const findings: Finding[] = [];
  for (const timeline of timelines) {
    const where = walKey(formatHistoryFileName(timeline), "none");
    try {
      histories.push(await requireTimelineHistory(store, timeline, options));
    } catch (error) {
      const finding = findingOf(error, { kind: "history-damaged", where });
      findings.push(finding.what.includes("is not in") ? { ...finding, kind: "history-missing" } : finding);
    }
  }
  return { histories, findings };
}

/**
 * Reconciles every backup with the WAL: from its first segment on, on every branch that leads from it, no segment may
 * be missing before the last one that is there, and the segments that make it consistent must all be there.
 */
export function checkChains(backups: readonly BackupRecord[], histories: readonly TimelineHistory[], inventories: ReadonlyMap<number, TimelineSegments>): Finding[] {
  const missing = new Map<string, Finding>();
  for (const backup of backups) {
    for (const history of histories.filter((candidate) => leadsFrom(candidate, backup))) {
      for (const finding of chainFindings(backup, history, inventories)) missing.set(`${finding.where} ${finding.what}`, finding);
    }
  }
  return [...missing.values()].sort((a, b) => (a.where < b.where ? -1 : 1));
}

function leadsFrom(history: TimelineHistory, backup: BackupRecord): boolean {
  return isOnLineage(history, { timeline: backup.timeline, lsn: parseLsn(backup.stopLsn) });
}

function chainFindings(backup: BackupRecord, history: TimelineHistory, inventories: ReadonlyMap<number, TimelineSegments>): Finding[] {
  const size = backup.walSegmentSize;
  const first = parseWalSegment(backup.firstSegment, size).index;
  const last = parseWalSegment(backup.lastSegment, size).index;
  const chain = assembleChain(history, size, first, inventories);
  const findings = chain.holes.map((hole) => gap(hole.from, hole.to, hole.count));
  if (chain.endIndex > last) return findings;
  return [...findings, inconsistent(backup, chain.holes[0]?.from ?? chain.segments.at(-1)?.name ?? backup.firstSegment)];
}

function gap(from: string, to: string, count: number): Finding {
  return {
    kind: "wal-missing",
    severity: "error",
    where: from,
    what: count === 1 ? "this segment is missing, although later ones are there" : `${count} segments are missing, to ${to}, although later ones are there`,
    advice: "If they are still in pg_wal of the server, archive them with soar-wal-archive. Nothing between this point and the next base backup can be restored: take one now.",
  };
}

function inconsistent(backup: BackupRecord, where: string): Finding {
  return {
    kind: "wal-missing",
    severity: "error",
    where,
    what: `backup ${backup.label} cannot be made consistent: it needs ${backup.firstSegment} to ${backup.lastSegment}`,
    advice: "If the segment is still in pg_wal of the server, archive it with soar-wal-archive; else this backup is lost: take a new one.",
  };
}
