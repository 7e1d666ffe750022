import { basename, dirname, join } from "node:path";
import { formatHistoryFileName, lsnOfSegmentIndex, parseWalSegment, type Lsn } from "@soar/pg-tools";
import type { RestorePlan } from "../plan/plan.ts";
import { lineageTableOf, type LineageTable } from "../wal/lineage-table.ts";

/** A WAL file of this machine that recovery was given because the bucket lacked it. */
export interface LocalWalFile {
  readonly name: string;
  /** Absolute path. */
  readonly file: string;
  /** Lower-case hexadecimal, of the bytes that were planned; undefined for a history. */
  readonly sha256: string | undefined;
  /** Of a history: what the plan read in it, of which the words in the file may differ. */
  readonly history?: string | undefined;
}

/**
 * Segments of this machine's disk that recovery has read and that belong to their timeline as a whole, in the order of the
 * WAL, each timeline's history before its first one where the bucket had none. Not the segment in which the new timeline
 * begins: the restored server archives its own copy of that (StartupXLOG), and what the old one has behind the branch point
 * is nobody's history.
 *
 * @param branchLsn where the restored server has begun a timeline of its own
 */
export function walToArchive(
  { segments, segmentSize, histories = {} }: Pick<LineageTable, "segments" | "segmentSize" | "histories">,
  branchLsn: Lsn,
): LocalWalFile[] {
  const files: LocalWalFile[] = [];
  const told = new Set<string>();
  for (const { name, cut, local } of segments) {
    // A name that does not follow from the path: another timeline's copy, which stands in for a segment of this name.
    if (local === undefined || cut !== undefined || basename(local.file) !== name) continue;
    const { timeline, index } = parseWalSegment(name, segmentSize);
    if (lsnOfSegmentIndex(index + 1, segmentSize) > branchLsn) break;
    const history = formatHistoryFileName(timeline);
    if (histories[history] !== undefined && !told.has(history))
      files.push({
        name: history,
        file: join(dirname(local.file), history),
        sha256: undefined,
        history: histories[history],
      });
    told.add(history);
    files.push({ name, ...local });
  }
  return files;
}

/** What a plan is going to store in the repository when its server was promoted where it is to be. */
export function plannedToArchive(plan: RestorePlan): LocalWalFile[] {
  return walToArchive(lineageTableOf(plan), plan.resolved.stopLsn);
}
