import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { HeldTree, ReadableTree } from "@soar/durable-files/reading";
import type { Lsn } from "@soar/pg-tools";
import { type ContentEntry, listDataDirectory, listTablespace } from "@soar/pg-tools/backup-contents";
import type { ControlFile } from "@soar/pg-tools/control-file";
import { formatBackupManifest } from "@soar/pg-tools/manifest";
import { requireMajor } from "@soar/pg-tools/majors";
import type { BackupTablespace, SqlConnection } from "@soar/pg-tools/replication";
import { encodeServerText } from "@soar/pg-tools/server-text";
import type { EndOfBundle, ListedEntry } from "@soar/seekable-tar/members";
import { aborted } from "@soar/task-pool";
import {
  type ArchiveFiles,
  type BackupRequest,
  estimatedTotal,
  type FinishedBackup,
  type OpenedFile,
  type PackingRequest,
  type RunningBackup,
} from "../source/backup-source.ts";
import { ArchivePacker } from "./archive-packer.ts";
import { type ClusterFile, openUnlessGone, toListedContent, toListedEntry } from "./cluster-listing.ts";
import { type LocalTablespace, readWholeControlFile } from "./local-cluster.ts";
import { manifestFileOf } from "./file-sums.ts";
import { openWal } from "./open-wal.ts";
import { Pace } from "./pace.ts";
import { PageDamage } from "./page-damage.ts";
import { createReaderPool, type ReaderPool } from "./reader-pool.ts";
import { stopBackup, type StoppedBackup } from "./stop-backup.ts";

/** A cluster whose files can be read here, in a session that has begun a backup. */
export interface OpenCluster {
  /** The session of `pg_backup_start`: when it ends, so does the backup. */
  readonly sql: SqlConnection;
  readonly dataDirectory: HeldTree;
  readonly major: number;
  readonly control: ControlFile;
  readonly tablespaces: readonly LocalTablespace[];
  readonly startLsn: Lsn;
  readonly startTimeline: number;
}

const LARGE_FILE_BYTES = 512 * 1024;

type Listing = AsyncGenerator<ListedEntry<ClusterFile> | EndOfBundle, void, undefined>;

/** A base backup whose files are read here, by several readers, between `pg_backup_start` and `pg_backup_stop`. */
export class FilesBackup {
  readonly #cluster: OpenCluster;
  readonly #request: BackupRequest;
  readonly #pace: Pace;
  readonly #damage = new PageDamage();
  readonly #files: ClusterFile[] = [];
  readonly #warnings: string[] = [];
  #pool: ReaderPool | undefined;
  #done = 0;
  #total: number | undefined;
  #stopped: StoppedBackup | undefined;

  constructor(cluster: OpenCluster, request: BackupRequest) {
    this.#cluster = cluster;
    this.#request = request;
    this.#pace = new Pace(request.rateLimitBytes);
  }

  async begin(): Promise<RunningBackup> {
    const { startLsn, startTimeline, dataDirectory, control } = this.#cluster;
    const pace = (bytes: number): Promise<void> => this.#pace.take(bytes, this.#request.signal);
    const tablespaces = await this.#measure();
    this.#total = estimatedTotal(tablespaces);
    return {
      startLsn,
      startTimeline,
      tablespaces,
      archives: () => this.#archives(),
      local: {
        control,
        dataDirectory: dataDirectory.path,
        openFile: (path) => this.#openFile(path),
        openWal: async (name) => await openWal(dataDirectory.path, name, pace),
        pace,
      },
      finish: () => this.#finish(),
      [Symbol.asyncDispose]: () => this.close(),
    };
  }

  /** By its path in the data directory, also of a tablespace. */
  #openFile(path: string): OpenedFile | undefined {
    const [, oid, below] = /^pg_tblspc\/(\d+)\/(.+)$/.exec(path) ?? [];
    const tree =
      oid === undefined
        ? this.#cluster.dataDirectory
        : this.#cluster.tablespaces.find((tablespace) => tablespace.oid === Number(oid))?.tree;
    return tree && openUnlessGone(tree, Buffer.from(below ?? path, "latin1"));
  }

  async close(): Promise<void> {
    await this.#pool?.close();
    for (const { opened } of this.#files) opened?.close();
    for (const { tree } of this.#cluster.tablespaces) await tree?.[Symbol.asyncDispose]();
    await this.#cluster.dataDirectory[Symbol.asyncDispose]();
    await this.#cluster.sql.close();
  }

  /** As the server does for its own progress: a walk that reads nothing. */
  async #measure(): Promise<BackupTablespace[]> {
    const measured: BackupTablespace[] = [];
    for (const { oid, location, tree } of this.#cluster.tablespaces)
      measured.push({ oid, location, estimatedBytes: await this.#sumOf(this.#listTablespace(tree)) });
    return [
      ...measured,
      { oid: undefined, location: undefined, estimatedBytes: await this.#sumOf(this.#listDataDirectory()) },
    ];
  }

  async #sumOf(entries: AsyncIterable<ContentEntry>): Promise<number> {
    const { signal } = this.#request;
    let bytes = 0;
    for await (const { size } of entries) {
      if (signal?.aborted === true) throw aborted(signal);
      bytes += size;
    }
    return bytes;
  }

  async *#archives(): AsyncGenerator<ArchiveFiles, void, undefined> {
    for (const { oid, location, tree } of this.#cluster.tablespaces) {
      const prefix = `pg_tblspc/${oid}/`;
      const list = (): Listing => this.#list(this.#listTablespace(tree), { tree, prefix });
      yield { oid, location, members: (packing) => this.#packer(packing).members(list()) };
    }
    yield {
      oid: undefined,
      location: undefined,
      members: (packing) => {
        const packer = this.#packer(packing);
        return packer.members(this.#listWithEnd(packer));
      },
    };
    await Promise.resolve();
  }

  #packer(request: PackingRequest): ArchivePacker {
    const { control, startLsn } = this.#cluster;
    this.#pool ??= createReaderPool(request.workers, request.existing?.digests);
    const pages =
      control.dataChecksumVersion === 0 ? undefined : { blockSize: control.blockSize, changedBefore: startLsn };
    return new ArchivePacker({
      request,
      pool: this.#pool,
      pages,
      damage: this.#damage,
      pace: this.#pace,
      onRead: (bytes) => {
        this.#done += bytes;
        this.#request.onProgress(this.#done, this.#total);
      },
    });
  }

  async *#list(
    entries: AsyncIterable<ContentEntry>,
    { tree, prefix }: { tree: ReadableTree | undefined; prefix: string },
  ): Listing {
    // One that is not there holds nothing.
    if (tree === undefined) return;
    const place = {
      tree,
      prefix,
      largeFileBytes: LARGE_FILE_BYTES,
      blocksPerFile: this.#cluster.control.blocksPerRelationFile,
    };
    for await (const entry of entries) {
      const { signal } = this.#request;
      if (signal?.aborted === true) throw aborted(signal);
      const listed = toListedEntry(entry, place);
      if (listed !== undefined) yield this.#keep(listed);
    }
  }

  /**
   * The data directory, with what must come behind everything else: pg_control is read when all files were (a standby is
   * consistent where it says), the backup is stopped behind that, and then its label is known.
   */
  async *#listWithEnd(packer: ArchivePacker): Listing {
    const { dataDirectory } = this.#cluster;
    yield* this.#list(this.#listDataDirectory(), { tree: dataDirectory, prefix: "" });
    yield "end-of-bundle";
    await packer.drained();
    const control = readWholeControlFile(dataDirectory);
    const { mode, uid, gid } = await stat(join(dataDirectory.path, "global/pg_control"));
    const like = { mode: mode & 0o7777, uid, gid, mtime: Math.floor(Date.now() / 1000) };
    this.#stopped = await stopBackup(this.#cluster.sql, this.#request);
    this.#request.onStopped?.(this.#stopped);
    const { label, tablespaceMap } = this.#stopped;
    yield this.#keep(toListedContent("backup_label", encodeServerText(label), like));
    if (tablespaceMap !== "")
      yield this.#keep(toListedContent("tablespace_map", encodeServerText(tablespaceMap), like));
    yield this.#keep(toListedContent("global/pg_control", control, like));
  }

  #keep(listed: ListedEntry<ClusterFile>): ListedEntry<ClusterFile> {
    if (listed.source !== undefined) this.#files.push(listed.source);
    return listed;
  }

  #listDataDirectory(): AsyncGenerator<ContentEntry, void, undefined> {
    const { dataDirectory, major, tablespaces } = this.#cluster;
    const inside = tablespaces.map((tablespace) => tablespace.inside).filter((path) => path !== undefined);
    return listDataDirectory(dataDirectory, { major, inside, onSpecial: this.#onSpecial });
  }

  async *#listTablespace(tree: ReadableTree | undefined): AsyncGenerator<ContentEntry, void, undefined> {
    const { major } = this.#cluster;
    if (tree !== undefined) yield* listTablespace(tree, { major, onSpecial: this.#onSpecial });
  }

  /** In the server's own words, which are read where a restore says what is missing. */
  readonly #onSpecial = (path: Buffer): void => {
    const warning = `skipping special file "./${path.toString("utf8")}"`;
    if (!this.#warnings.includes(warning)) this.#warnings.push(warning);
  };

  async #finish(): Promise<FinishedBackup> {
    const { startLsn, control, major } = this.#cluster;
    if (this.#stopped === undefined) throw new Error("the archives were not read to their end");
    const { stopLsn, timeline } = this.#stopped;
    const row = requireMajor(major);
    const files = this.#files.flatMap((file) => {
      const checksum = file.sum.finish(file.size);
      return checksum === undefined ? [] : [manifestFileOf({ ...file, checksum })];
    });
    const systemIdentifier = row.manifestVersion === 1 ? undefined : control.systemIdentifier;
    const walRanges = [{ timeline, startLsn, endLsn: stopLsn }];
    const manifest = formatBackupManifest({ version: row.manifestVersion, systemIdentifier, files, walRanges }, row);
    return await Promise.resolve({
      manifest: Buffer.from(manifest),
      stopLsn,
      timeline,
      damaged: this.#damage.report(),
      warnings: this.#warnings,
    });
  }
}
