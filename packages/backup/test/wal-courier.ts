import { mkdirSync, mkdtempSync, readdirSync, watch } from "node:fs";
import { chmod, chown, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ArchiveWal } from "@soar/restore";
import { parseWalFileName } from "@soar/pg-tools";
import { ChangeCollector } from "@soar/pg-tools/changed-blocks";
import { summarizeWalSegment } from "@soar/pg-tools/wal-records";
import { sha256Hex } from "@soar/repository";
import { putWalFile, type WalFileSource } from "@soar/repository/wal";
import type { ObjectStore } from "@soar/storage";
import { serverUser } from "@soar-tooling/test-bench";

/** Stands in for the archiver, which lies beside this package and not below it. */
export interface WalCourier {
  /** Holds the files, and may hold more; removed at the end. */
  readonly directory: string;
  readonly archiveCommand: string;
  /** Takes what the server archives to the store from now on, and what was archived before. */
  deliverTo(store: ObjectStore): void;
  /** Rejects with the first failure to store a file. */
  close(): Promise<void>;
}

/** The server copies finished WAL into a directory; whatever appears there is stored at once, as the archiver would. */
export async function startWalCourier(): Promise<WalCourier> {
  const directory = mkdtempSync(join(tmpdir(), "soar-courier-"));
  const box = join(directory, "box");
  mkdirSync(box);
  for (const path of [directory, box]) {
    await chmod(path, 0o755);
    await chown(path, serverUser().uid, serverUser().gid);
  }
  let store: ObjectStore | undefined;
  let work = Promise.resolve();
  const delivered = new Set<string>();
  const deliver = async (): Promise<void> => {
    for (const name of readdirSync(box)) {
      if (store === undefined || delivered.has(name)) continue;
      await putWalFile(store, await sourceOf(box, name), { codec: "zstd" });
      delivered.add(name);
    }
  };
  const look = (): void => void (work = work.then(deliver));
  const watcher = watch(box, look);
  return {
    directory,
    // The rename makes whole files appear, and only those.
    archiveCommand: `cp %p ${directory}/%f && mv ${directory}/%f ${box}/%f`,
    deliverTo(target) {
      store = target;
      delivered.clear();
      look();
    },
    async close() {
      watcher.close();
      try {
        await work;
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}

/** Stores files of a server's pg_wal as a program on its machine would. */
export function archiveTo(store: ObjectStore): ArchiveWal {
  return async (path, name) =>
    (await putWalFile(store, await sourceOf(dirname(path), name), { codec: "zstd" })).outcome;
}

async function sourceOf(box: string, name: string): Promise<WalFileSource> {
  const bytes = await readFile(join(box, name));
  return {
    name,
    size: bytes.length,
    sha256: sha256Hex(bytes),
    ...describe(name, bytes),
    open: (pieceSize) => pieces(bytes, pieceSize),
  };
}

function describe(name: string, bytes: Buffer): Pick<WalFileSource, "facts" | "changes"> {
  const { kind } = parseWalFileName(name);
  if (kind !== "segment" && kind !== "partial") return {};
  const observer = new ChangeCollector();
  const { systemIdentifier, commitCount, abortCount, earliestTime, latestTime, endsInsideTransactionEnd } =
    summarizeWalSegment(bytes, { name, observer });
  const times =
    earliestTime === undefined || latestTime === undefined
      ? {}
      : { first: Number(earliestTime), last: Number(latestTime) };
  const facts = {
    sysid: String(systemIdentifier),
    tx: { n: commitCount + abortCount, ...times },
    ...(endsInsideTransactionEnd ? { open: true as const } : {}),
  };
  return { facts, changes: kind === "segment" ? observer.changes : undefined };
}

async function* pieces(bytes: Buffer, pieceSize: number): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += pieceSize) yield bytes.subarray(offset, offset + pieceSize);
}
