import { formatBackupHistory } from "@soar/pg-tools/labels";
import { formatLsn, lsnOfSegmentIndex, parseLsn } from "@soar/pg-tools";
import { requireMajor } from "@soar/pg-tools/majors";
import { claimRepository } from "@soar/repository";
import type { ObjectStore } from "@soar/storage";
import { putSampleBackup } from "./sample-backup.ts";
import { sampleLabel } from "./sample-files.ts";
import { positionsOf } from "./sample-positions.ts";
import { SAMPLE_LABEL } from "./sample-record.ts";
import { archiveSample, sampleSegment, segmentName, SEGMENT_SIZE, SYSTEM_IDENTIFIER } from "./sample-wal.ts";

/**
 * A healthy repository: a backup that needs segments 3 and 4, WAL of timeline 1 from 2 to 6, and of timeline 2, which left
 * it in segment 6, to 8.
 */
export async function fillSampleRepository(
  store: ObjectStore,
  { label = SAMPLE_LABEL }: { readonly label?: string } = {},
): Promise<void> {
  await claimRepository(
    store,
    { systemIdentifier: SYSTEM_IDENTIFIER, postgresMajor: 15, walSegmentSize: SEGMENT_SIZE },
    { toolVersion: "test", now: new Date("2025-01-05T02:00:00Z") },
  );
  for (const index of [2, 3, 4, 5, 6]) await archiveSample(store, segmentName(index), sampleSegment(index));
  for (const index of [6, 7, 8])
    await archiveSample(store, segmentName(index, 2), sampleSegment(index, { timeline: index === 6 ? 1 : 2 }));
  await archiveSample(
    store,
    "00000002.history",
    Buffer.from(`1\t${formatLsn(lsnOfSegmentIndex(6, SEGMENT_SIZE) + 8192n)}\tno recovery target specified\n`),
  );
  const positions = positionsOf(3);
  const history = formatBackupHistory(
    {
      ...sampleLabel(label, positions),
      stopLsn: parseLsn(positions.stopLsn),
      stopSegmentName: positions.lastSegment,
      stopTime: "2025-01-05 02:30:00 UTC",
      stopTimeline: 1,
    },
    requireMajor(15),
  );
  await archiveSample(store, `${segmentName(3)}.00000028.backup`, Buffer.from(history));
  await putSampleBackup(store, { label, first: 3 });
}
