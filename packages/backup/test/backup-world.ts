import { openStore, type ObjectStore } from "@soar/storage";
import {
  createTestCluster,
  type PostgresInstallation,
  type TestCluster,
  type TestClusterOptions,
} from "@soar-tooling/postgres-clusters";
import { startS3Server, type S3ServerOptions, type S3TestServer } from "@soar-tooling/s3-server";
import { backupKey, BACKUP_OBJECTS, putBackupRecord, type BackupRecord } from "@soar/repository";
import { replicationSource, takeBackup, type TakeBackupOptions } from "../src/index.ts";
import { startWalCourier, type WalCourier } from "./wal-courier.ts";

/** A server that archives, and a repository on an S3 server. */
export interface BackupWorld {
  readonly cluster: TestCluster;
  readonly s3: S3TestServer;
  readonly store: ObjectStore;
  readonly courier: WalCourier;
  take(overrides?: Partial<TakeBackupOptions>, store?: ObjectStore): Promise<BackupRecord>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface WorldOptions extends Partial<TestClusterOptions> {
  readonly installation: PostgresInstallation;
  readonly s3?: S3ServerOptions;
}

export async function createBackupWorld({ s3: s3Options, ...options }: WorldOptions): Promise<BackupWorld> {
  const courier = await startWalCourier();
  const s3 = await startS3Server({ bucket: "soar-backup", ...s3Options });
  const cluster = await createTestCluster({
    archiveCommand: courier.archiveCommand,
    initdbArgs: ["--wal-segsize=1", "--data-checksums"],
    ...options,
  });
  const store = openTestStore(s3);
  courier.deliverTo(store);
  return {
    cluster,
    s3,
    store,
    courier,
    take: (overrides = {}, target = store) => {
      const given = { ...defaultsFor(cluster), ...overrides };
      return takeBackup(target, { source: replicationSource(given.server), ...given });
    },
    async [Symbol.asyncDispose]() {
      await cluster.remove();
      await courier.close();
      await store.close();
      await s3.close();
    },
  };
}

/** Fails soon: tests do not wait five minutes for a store that is down on purpose. */
export function openTestStore(
  s3: S3TestServer,
  prefix = "cluster1",
  endpoint = s3.endpoint,
  deadlineMs = 2000,
): ObjectStore {
  return openStore({
    url: `s3://soar-backup/${prefix}`,
    endpoint,
    region: s3.region,
    pathStyle: true,
    credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
    retry: { deadlineMs, baseDelayMs: 5, maxDelayMs: 50 },
  });
}

function defaultsFor(cluster: Pick<TestCluster, "connection">): Omit<TakeBackupOptions, "source"> {
  return {
    server: { ...cluster.connection, applicationName: "test" },
    codec: "zstd",
    jobs: 2,
    checkpoint: "fast",
    walTimeoutMs: 20_000,
    archiverPatienceMs: 10_000,
    host: "test-host",
    toolVersion: "test 1",
    now: () => new Date(),
  };
}

/** Lets a finished backup be so much older, in milliseconds, as its record tells it. */
export async function backdate(store: ObjectStore, record: BackupRecord, ms: number): Promise<BackupRecord> {
  const before = (text: string): string => new Date(Date.parse(text) - ms).toISOString();
  const older = { ...record, startedAt: before(record.startedAt), stoppedAt: before(record.stoppedAt) };
  await store.remove([backupKey(record.label, BACKUP_OBJECTS.record)]);
  await putBackupRecord(store, older);
  return older;
}

/** Keys below a prefix of the bucket, without the repository's own prefix. */
export function keysOf({ s3 }: Pick<BackupWorld, "s3">, prefix: string): string[] {
  return [...s3.objects().keys()].flatMap((key) =>
    key.startsWith(`cluster1/${prefix}`) ? [key.slice("cluster1/".length)] : [],
  );
}
