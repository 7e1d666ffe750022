import { formatDuration, formatRate, formatSize } from "@soar/app-kit";
import { lsnOfSegmentIndex } from "@soar/pg-tools";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import type { MeasuredDownload, RestorePlan } from "@soar/restore/plan";
import type { ToDownload } from "./plan-download.ts";

/** How near to the target other transactions end. */
export function nearbyText({ nearby }: RestorePlan): string | undefined {
  if (nearby === undefined) return undefined;
  const atLeast = nearby.isComplete ? "" : "at least ";
  return `within a second of it ${atLeast}${nearby.replayed} transaction${nearby.replayed === 1 ? "" : "s"} replayed and ${nearby.leftOut} left out`;
}

/** How long it takes, as far as that can be told. */
export function timeText(
  { chain, resolved }: RestorePlan,
  download: MeasuredDownload | undefined,
  { atMost }: Pick<ToDownload, "atMost">,
): string | undefined {
  if (download === undefined) return undefined;
  const [first] = chain.segments;
  const plainWal =
    first === undefined ? 0 : Math.max(0, Number(resolved.stopLsn - lsnOfSegmentIndex(first.index, chain.segmentSize)));
  return `${atMost ? "at most " : ""}about ${formatDuration(download.totalMs)} to download, at ${formatRate(download.bytesPerSecond)} as just measured; replaying ${formatSize(plainWal)} of WAL comes on top`;
}

/** The server that was backed up, and what one that lets clients in before the end must allow. */
export function serverText({ backup, minimums }: RestorePlan): string {
  const values = Object.entries(minimums).map(([name, value]) => `${name} ${value}`);
  return `PostgreSQL ${formatVersion(backup.postgresVersion)}${values.length === 0 ? "" : `; up to the target it had at most ${values.join(", ")}`}`;
}

/** `15.20` for 150020. */
export function formatVersion(version: number): string {
  return `${majorOfVersionNumber(version)}.${version % 10_000}`;
}
