import { parseLsn, segmentIndexOfLsn } from "@soar/pg-tools";
import type { ChainSegment } from "@soar/repository/chain";
import type { RestorePlan } from "../../plan/plan.ts";

/**
 * Segments that recovery asks for a second time: it looks at the checkpoint before it goes back to the first record
 * (InitWalRecovery), and at its end it reads the last record again (FinishWalRecovery).
 */
export function segmentsReadTwice({ backup }: RestorePlan, segments: readonly ChainSegment[]): string[] {
  const checkpoint = segmentIndexOfLsn(parseLsn(backup.checkpointLsn), backup.walSegmentSize);
  const looked = segments.slice(1).filter(({ index }) => index === checkpoint);
  return [...new Set([...looked, ...segments.slice(-1)].map(({ name }) => name))];
}
