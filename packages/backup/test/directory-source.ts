import { readdirSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseLsn, type Lsn } from "@soar/pg-tools";
import { connectSql, type ConnectionConfig } from "@soar/pg-tools/replication";
import { createFileChecksum, formatBackupManifest, type ManifestFile } from "@soar/pg-tools/manifest";
import { mapOrdered } from "@soar/task-pool";
import { Header } from "tar";
import type { BackupSource, RunningBackup } from "../src/index.ts";

/** What a base backup leaves out (PostgreSQL documentation, "Backing Up The Data Directory"). */
const EMPTIED = /^(?:pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)\/./;
const LEFT_OUT = /^postmaster\.(?:pid|opts)$|(?:^|\/)pg_internal\.init/;
const READERS = 4;

/**
 * A third source, which proves the contract ready for one: several readers of the data directory between `pg_backup_start`
 * and `pg_backup_stop`. Fit for a quiet cluster of a test only: nothing of it survives a file that shrinks.
 */
export function directorySource(server: ConnectionConfig, dataDir: string): BackupSource {
  return {
    method: "replication",
    check: () => Promise.resolve(),
    async begin({ label }): Promise<RunningBackup> {
      const sql = await connectSql(server);
      const [start] = await sql.query<{ lsn: string; timeline: number }>(
        "select pg_backup_start($1, true)::text as lsn, (select timeline_id from pg_control_checkpoint()) as timeline",
        [label],
      );
      const startLsn = parseLsn(start?.lsn ?? "");
      const timeline = start?.timeline ?? 0;
      const files: ManifestFile[] = [];
      let stopLsn: Lsn | undefined;
      const tar = async function* (): AsyncGenerator<Buffer> {
        const paths = readdirSync(dataDir, { recursive: true, encoding: "utf8" }).filter(
          (path) => !EMPTIED.test(path) && !LEFT_OUT.test(path) && path !== "global/pg_control",
        );
        const read = (path: string) => readEntry(dataDir, path);
        for await (const entry of mapOrdered(paths.toSorted(), read, { maxItems: READERS }))
          yield* entryBlocks(entry, files);
        const [stop] = await sql.query<{ lsn: string; labelfile: string }>(
          "select lsn::text, labelfile from pg_backup_stop(false)",
        );
        stopLsn = parseLsn(stop?.lsn ?? "");
        yield* entryBlocks({ path: "backup_label", content: Buffer.from(stop?.labelfile ?? "") }, files);
        yield* entryBlocks(await read("global/pg_control"), files);
        yield Buffer.alloc(1024);
      };
      return {
        startLsn,
        startTimeline: timeline,
        tablespaces: [{ oid: undefined, location: undefined, estimatedBytes: undefined }],
        async *archives() {
          yield await Promise.resolve({ oid: undefined, location: undefined, data: tar() });
        },
        async finish() {
          if (stopLsn === undefined) throw new Error("the archive was not read to its end");
          const manifest = formatBackupManifest({
            version: 1,
            systemIdentifier: undefined,
            files,
            walRanges: [{ timeline, startLsn, endLsn: stopLsn }],
          });
          return await Promise.resolve({
            manifest: Buffer.from(manifest),
            stopLsn,
            timeline,
            damaged: undefined,
            warnings: [],
          });
        },
        [Symbol.asyncDispose]: () => sql.close(),
      };
    },
  };
}

interface ReadEntry {
  readonly path: string;
  /** None for a directory. */
  readonly content: Buffer | undefined;
}

async function readEntry(dataDir: string, path: string): Promise<ReadEntry> {
  const file = join(dataDir, path);
  return { path, content: (await stat(file)).isDirectory() ? undefined : await readFile(file) };
}

function* entryBlocks({ path, content }: ReadEntry, files: ManifestFile[]): Generator<Buffer> {
  const mtime = new Date(0);
  const header = new Header({
    path,
    size: content?.length ?? 0,
    mode: content === undefined ? 0o700 : 0o600,
    mtime,
    type: content === undefined ? "Directory" : "File",
  });
  const block = Buffer.alloc(512);
  header.encode(block, 0);
  yield block;
  if (content === undefined) return;
  yield content;
  yield Buffer.alloc((512 - (content.length % 512)) % 512);
  const checksum = createFileChecksum("CRC32C");
  checksum.update(content);
  files.push({
    path,
    pathBytes: undefined,
    size: content.length,
    lastModified: mtime,
    checksum: { algorithm: "CRC32C", value: checksum.digest() },
  });
}
