import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SoarError } from "@soar/errors";
import { tryLock, type ProcessLock } from "../process-lock.ts";
import {
  addToCounters,
  BASE_BACKUP_BOUNDS,
  NO_COUNTERS,
  type ArchiverCounters,
  type CounterChange,
} from "./archiver-counters.ts";

const FILE = "counters.json";
const RETRY_MS = 10;

/** What the spool has counted so far. A file that is no JSON begins at zero: a metric is no reason not to archive. */
export async function readCounters(spoolDir: string): Promise<ArchiverCounters> {
  try {
    return parseCounters(JSON.parse(await readFile(join(spoolDir, FILE), "utf8")));
  } catch (error) {
    const isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (isAbsent || error instanceof SyntaxError) return NO_COUNTERS;
    throw error;
  }
}

/**
 * Adds to the counters of a spool, whoever else does so at the same time, and gives the sum. Rejects with `FILE_UNWRITABLE`
 * when the file cannot be written, or somebody else holds it for longer than `patienceMs`.
 */
export async function updateCounters(
  spoolDir: string,
  change: CounterChange,
  options: { readonly patienceMs: number },
): Promise<ArchiverCounters> {
  const path = join(spoolDir, FILE);
  const temporary = `${path}.new`;
  let lock: ProcessLock | undefined;
  try {
    await mkdir(spoolDir, { recursive: true, mode: 0o700 });
    lock = await waitForLock(`${path}.lock`, options.patienceMs);
    const counters = addToCounters(await readCounters(spoolDir), change);
    await writeFile(temporary, `${JSON.stringify(counters)}\n`, { mode: 0o600 });
    await rename(temporary, path);
    return counters;
  } catch (cause) {
    throw new SoarError(
      "FILE_UNWRITABLE",
      `unable to write '${path}': ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause, hint: "Make room in the spool directory; it has to belong to the server's user." },
    );
  } finally {
    await lock?.release();
  }
}

async function waitForLock(path: string, patienceMs: number): Promise<ProcessLock> {
  for (const giveUpAt = performance.now() + patienceMs; ; await delay(RETRY_MS)) {
    const outcome = await tryLock(path);
    if ("release" in outcome) return outcome;
    if (performance.now() > giveUpAt) throw new Error(`process ${outcome.processId} holds it`);
  }
}

function parseCounters(value: unknown): ArchiverCounters {
  const from = (typeof value === "object" && value !== null ? value : {}) as Partial<ArchiverCounters>;
  const base = from.baseBackups;
  return {
    archivedTotal: count(from.archivedTotal),
    givenUpTotal: count(from.givenUpTotal),
    errorsTotal: count(from.errorsTotal),
    uploadedBytesTotal: count(from.uploadedBytesTotal),
    tailPiecesTotal: count(from.tailPiecesTotal),
    requestsTotal: Object.fromEntries(
      Object.entries(from.requestsTotal ?? {}).map(([name, number]) => [name, count(number)]),
    ),
    baseBackups: base?.buckets.length === BASE_BACKUP_BOUNDS.length ? base : NO_COUNTERS.baseBackups,
    lastArchived: from.lastArchived,
    lastFailure: from.lastFailure,
  };
}

function count(number: unknown): number {
  return typeof number === "number" && number >= 0 ? number : 0;
}
