import { putBackupRecord, type BackupRecord } from "@soar/repository";
import { openStore, type ObjectStore } from "@soar/storage";
import type { ArchiverWorld } from "./archiver-world.fixture.ts";

/** The repository that a world archives into. */
export function storeOf({ s3 }: ArchiverWorld): ObjectStore {
  return openStore({ url: `s3://${s3.bucket}/one`, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
}

/** Puts a record of a base backup that began at `startLsn`; its data is in nobody's way. */
export async function putSampleBackup(
  world: ArchiverWorld,
  { label, startLsn }: { readonly label: string; readonly startLsn: string },
): Promise<void> {
  const store = storeOf(world);
  const at = `${label}T03:00:00.000Z`;
  const segment = "000000010000000000000001";
  const record: BackupRecord = {
    format: 1,
    label,
    kind: "full",
    references: [],
    systemIdentifier: "7000000000000000001",
    postgresVersion: 150_020,
    walSegmentSize: 2 ** 20,
    timeline: 1,
    startLsn,
    stopLsn: startLsn,
    checkpointLsn: startLsn,
    firstSegment: segment,
    lastSegment: segment,
    startedAt: at,
    stoppedAt: at,
    durationMs: 3_600_000,
    sizes: { database: 1_000, tar: 1_100, stored: 300, new: 300 },
    codec: "gzip",
    chunkSize: 262_144,
    source: { method: "replication", fromStandby: false, host: "h", dataDirectory: "/data" },
    dataChecksums: true,
    settings: {},
    databases: [],
    tablespaces: [],
    archives: [{ name: "base", object: "backup.tar.gz", tar: 1_100, stored: 13 }],
    objects: [],
    index: { members: [] },
    damagedPages: [],
    createdBy: "test",
  };
  await putBackupRecord(store, record);
  await store.close();
}
