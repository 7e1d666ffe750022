import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeDirectory, type ProcessLock, readTextIfPresent, replaceFile, tryLock } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import {
  addToCounters,
  BASE_BACKUP_BOUNDS,
  NO_COUNTERS,
  type ArchiverCounters,
  type CounterChange,
} from "./archiver-counters.ts";

const FILE = "counters.json";
const RETRY_MS = 10;
const SPOOL_HINT = "The spool directory has to belong to the server's user.";

/** What the spool has counted so far. A file that is no JSON begins at zero: a metric is no reason not to archive. */
export async function readCounters(spoolDir: string): Promise<ArchiverCounters> {
  const text = await readTextIfPresent(join(spoolDir, FILE));
  if (text === undefined) return NO_COUNTERS;
  try {
    return parseCounters(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return NO_COUNTERS;
    throw error;
  }
}

/**
 * Adds to the counters of a spool, whoever else does so at the same time, and gives the sum. Rejects with `FILE_UNWRITABLE`
 * or `DISK_FULL` when the file cannot be written, or somebody else holds it for longer than `patienceMs`.
 */
export async function updateCounters(
  spoolDir: string,
  change: CounterChange,
  options: { readonly patienceMs: number },
): Promise<ArchiverCounters> {
  const path = join(spoolDir, FILE);
  // Counters that a crash takes away begin at zero, as Prometheus expects of a restart.
  const sync = "none";
  await makeDirectory(spoolDir, { mode: 0o700, sync, hint: SPOOL_HINT });
  const lock = await waitForLock(path, options.patienceMs);
  try {
    const counters = addToCounters(await readCounters(spoolDir), change);
    await replaceFile(path, `${JSON.stringify(counters)}\n`, { mode: 0o600, sync, hint: SPOOL_HINT });
    return counters;
  } finally {
    await lock.release();
  }
}

async function waitForLock(path: string, patienceMs: number): Promise<ProcessLock> {
  for (const giveUpAt = performance.now() + patienceMs; ; await delay(RETRY_MS)) {
    const outcome = await tryLock(`${path}.lock`);
    if ("release" in outcome) return outcome;
    if (performance.now() > giveUpAt)
      throw new SoarError("FILE_UNWRITABLE", `unable to write '${path}': process ${outcome.processId} holds it`, {
        hint: SPOOL_HINT,
      });
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
