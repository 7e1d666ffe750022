import { putBackupRecord } from "@soar/repository";
import { openStore, type ObjectStore } from "@soar/storage";
import { sampleRecord } from "@soar-tooling/sample-repository";
import type { ArchiverWorld } from "./archiver-world.fixture.ts";

/** The repository that a world archives into. */
export function storeOf({ s3 }: ArchiverWorld): ObjectStore {
  return openStore({ url: `s3://${s3.bucket}/one`, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
}

/** Puts a record of a base backup of the world's cluster that began at `startLsn`; its data is in nobody's way. */
export async function putSampleBackup(
  world: ArchiverWorld,
  { label, startLsn }: { readonly label: string; readonly startLsn: string },
): Promise<void> {
  const store = storeOf(world);
  const at = `${label}T03:00:00.000Z`;
  const [server] = await world.cluster.query<{ identifier: string; version: number }>(
    "SELECT system_identifier::text AS identifier, current_setting('server_version_num')::int AS version FROM pg_control_system()",
  );
  const record = sampleRecord({
    label,
    systemIdentifier: server?.identifier ?? "",
    postgresVersion: server?.version ?? 0,
    walSegmentSize: 2 ** 20,
    startLsn,
    startedAt: at,
    stoppedAt: at,
    archives: [{ name: "base", object: "backup.tar.gz", tar: 1_100, stored: 13 }],
  });
  await putBackupRecord(store, record);
  await store.close();
}
