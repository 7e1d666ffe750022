import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fillSampleRepository, putSampleBackup } from "@soar-tooling/sample-repository";
import { hasErrorCode } from "@soar/errors";
import { readBackupOutline, tableOf, type BackupRecord } from "@soar/repository";
import { planRestore } from "@soar/restore/plan";
import { createCodecPool, extractArchive, type TableOutline } from "@soar/seekable-tar";
import { readObject, type ObjectStore } from "@soar/storage";
import type { SyntheticRestore } from "../performance/document.ts";
import { openGenerated } from "./generated-store.ts";
import { LABEL, OBJECT, type SyntheticSize } from "./layout.ts";
import { keyOf, SUMMARY_FILE, type Summary } from "./repository-files.ts";

/** Plans a restore, reads the whole seek table, and fetches the beginning into files; with the memory of this process. */
export async function readSynthetic(
  directory: string,
  { gigabytes, fetched }: SyntheticSize,
): Promise<SyntheticRestore> {
  const summary = JSON.parse(readFileSync(join(directory, SUMMARY_FILE), "utf8")) as Summary;
  using generated = openGenerated(directory, summary);
  const { store, requests } = generated;
  await fillSampleRepository(store);
  // So that it is listed; it is never read.
  await store.put(keyOf(OBJECT), Buffer.alloc(0));
  await putSampleBackup(store, { label: LABEL, first: 4, change: (record) => enlarge(record, summary) });
  const [plan, planSeconds, planRequests] = await timed(requests, () =>
    planRestore(store, { target: { kind: "immediate" }, backup: LABEL }),
  );
  const [table, indexSeconds, indexRequests] = await timed(requests, () =>
    readBackupOutline(store, tableOf(plan.backup)),
  );
  const indexPeak = peakBytes();
  const [bytes, fetchSeconds, fetchRequests] = await timed(requests, () =>
    fetchBeginning(store, table, { targetDir: join(directory, "restored"), limit: fetched * 1e9 }),
  );
  return {
    gigabytes,
    members: summary.members,
    table: summary.storedBytes,
    planSeconds,
    planRequests,
    indexSeconds,
    indexRequests,
    indexPeak,
    fetched: bytes,
    fetchSeconds,
    fetchRequests,
    peak: peakBytes(),
  };
}

/** The kernel's high-water mark of this process. */
const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;

async function timed<T>(requests: () => number, work: () => Promise<T>): Promise<[T, number, number]> {
  const [start, before] = [performance.now(), requests()];
  const result = await work();
  return [result, (performance.now() - start) / 1000, requests() - before];
}

/** The record of the sample's backup, as if it were of that size. */
function enlarge(record: BackupRecord, { frames, storedBytes, storedSha256, tar }: Summary): BackupRecord {
  const loose = record.objects.filter(({ name }) => !/^(?:backup\.|index\.|\d+\.)/.test(name));
  return {
    ...record,
    codec: "none",
    tablespaces: [],
    archives: [{ name: "base", object: OBJECT, tar, stored: tar }],
    objects: [
      ...loose,
      { name: OBJECT, size: tar, sha256: "0".repeat(64) },
      { name: "index.zst", size: storedBytes, sha256: storedSha256 },
    ],
    index: { members: frames.map(({ storedLength, plainLength, sha256 }) => [storedLength, plainLength, sha256]) },
    sizes: { database: tar, tar, stored: tar, new: tar },
  };
}

interface BeginningOptions {
  readonly targetDir: string;
  readonly limit: number;
}

/** As a restore fetches, until so many bytes are in place. Resolves to the stored bytes of these. */
async function fetchBeginning(
  store: ObjectStore,
  { archives }: TableOutline,
  { targetDir, limit }: BeginningOptions,
): Promise<number> {
  const [archive] = archives;
  if (archive === undefined) throw new RangeError("the table holds no archive");
  const pool = createCodecPool({ workers: cpus().length });
  const enough = new AbortController();
  let stored = 0;
  try {
    await extractArchive(archive, {
      targetDir,
      pool,
      parallel: cpus().length,
      signal: enough.signal,
      fetch: (object, offset, length, signal) => readObject(store, object, { range: { offset, length }, signal }),
      onProgress({ storedBytes, plainBytes }) {
        stored = storedBytes;
        if (plainBytes >= limit) enough.abort();
      },
    });
  } catch (error) {
    if (!enough.signal.aborted || !hasErrorCode(error, "ABORTED")) throw error;
  } finally {
    await pool.close();
  }
  return stored;
}
