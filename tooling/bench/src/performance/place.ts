import { chownSync, chmodSync, mkdirSync, mkdtempSync, readdirSync, lstatSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { TestCluster } from "@soar-tooling/postgres-clusters";
import { startS3ServerProcess, type S3ServerProcess } from "@soar-tooling/s3-server";
import { serverUser } from "@soar-tooling/test-bench";
import { memoryDirectory } from "../bench-directory.ts";

/** Where a tool works: a store of its own, and the cluster. */
export interface Place {
  readonly cluster: TestCluster;
  readonly s3: S3ServerProcess;
  /** The certificate of the store, which speaks TLS because pgBackRest speaks nothing else. */
  readonly caFile: string;
  readonly prefix: string;
  /** Of the server's user: settings, spools, logs. */
  readonly directory: string;
  readonly jobs: number;
  readonly codec: "zstd" | "gzip";
}

/** A store over TLS with its objects in memory, where there is room for them. */
export interface Store extends AsyncDisposable {
  readonly s3: S3ServerProcess;
  readonly caFile: string;
  /** Bytes that it holds. */
  bytes(): number;
}

export async function openStoreServer(megabytes: number): Promise<Store> {
  const objects = memoryDirectory(megabytes);
  const s3 = await startS3ServerProcess({ bucket: "bench", directory: objects, tls: true });
  const certificates = mkdtempSync(join(tmpdir(), "soar-bench-"));
  chmodSync(certificates, 0o755);
  const caFile = join(certificates, "ca.pem");
  writeFileSync(caFile, s3.caPem ?? "", { mode: 0o644 });
  return {
    s3,
    caFile,
    bytes: () => directoryBytes(objects),
    async [Symbol.asyncDispose]() {
      await s3.close();
      for (const path of [objects, certificates]) await rm(path, { recursive: true, force: true });
    },
  };
}

/** A directory of the server's user. */
export function ownedDirectory(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chownSync(path, serverUser().uid, serverUser().gid);
  return path;
}

/** Bytes of the files below a directory, as far as they do not vanish meanwhile. */
function directoryBytes(directory: string, except: readonly string[] = []): number {
  let bytes = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (except.includes(entry.name)) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) bytes += directoryBytes(path);
    else bytes += lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

/** Throws WAL away from here on. A call of the command before would go on asking for a store that is gone, so it is waited for. */
export async function archiveNowhere(cluster: TestCluster): Promise<void> {
  await cluster.configure({ archive_command: "true" });
  await cluster.query("CREATE TABLE IF NOT EXISTS nowhere (n int); INSERT INTO nowhere VALUES (1)");
  const [switched] = await cluster.query("SELECT pg_walfile_name(pg_switch_wal()) AS last");
  for (let done = ""; done < String(switched?.["last"]); await delay(100)) {
    const [row] = await cluster.query("SELECT coalesce(left(last_archived_wal, 24), '') AS done FROM pg_stat_archiver");
    done = String(row?.["done"]);
  }
}

/** What a backup of this cluster reads. */
export const clusterBytes = ({ dataDir }: TestCluster): number => directoryBytes(dataDir, ["pg_wal"]);
