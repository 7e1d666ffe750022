import { listBackupRecords, type BackupRecord } from "@soar/repository";
import { listGaps, type GapRecord } from "@soar/repository/markers";
import type { CallOptions, ObjectStore } from "@soar/storage";

/** What the bucket says that no local file does. */
export interface RepositoryFacts {
  readonly newestBackup: Pick<BackupRecord, "label" | "startLsn" | "stoppedAt" | "durationMs" | "sizes"> | undefined;
  /** Ends and durations, oldest first. */
  readonly runs: readonly { readonly stoppedAt: string; readonly seconds: number }[];
  readonly gaps: readonly GapRecord[];
}

/** Reads the records of base backups and declared gaps. Rejects as the store and `parseRecord` do. */
export async function readRepositoryFacts(store: ObjectStore, options: CallOptions = {}): Promise<RepositoryFacts> {
  const records = (await listBackupRecords(store, options)).sort(
    (a, b) => Date.parse(a.stoppedAt) - Date.parse(b.stoppedAt),
  );
  const newest = records.at(-1);
  return {
    newestBackup: newest && {
      label: newest.label,
      startLsn: newest.startLsn,
      stoppedAt: newest.stoppedAt,
      durationMs: newest.durationMs,
      sizes: newest.sizes,
    },
    runs: records.map(({ stoppedAt, durationMs }) => ({ stoppedAt, seconds: durationMs / 1000 })),
    gaps: await listGaps(store, options),
  };
}
