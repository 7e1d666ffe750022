import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  makeDirectory,
  type ProcessLock,
  readTextIfPresent,
  removeLeftovers,
  replaceFile,
  tryLock,
} from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { parseJsonAs } from "@soar/repository";
import * as v from "valibot";
import {
  addToCounters,
  BASE_BACKUP_BOUNDS,
  NO_COUNTERS,
  type ArchiverCounters,
  type CounterChange,
} from "./archiver-counters.ts";

const FILE = "counters.json";
const RETRY_MS = 10;
/** What a killed command left is as old; others write within milliseconds. */
const LEFTOVER_MS = 60 * 60_000;
const SPOOL_HINT = "The spool directory has to belong to the server's user.";

/** JSON leaves out what is undefined. */
const absent = (): undefined => undefined;
const instant = v.pipe(v.string(), v.isoTimestamp());
const optionalText = v.optional(v.string(), absent);
/** What cannot be a count begins at zero, and the others go on: a metric is no reason not to archive. */
const count = v.fallback(v.pipe(v.number(), v.minValue(0)), 0);
const countersSchema: v.GenericSchema<unknown, ArchiverCounters> = v.object({
  archivedTotal: count,
  givenUpTotal: count,
  errorsTotal: count,
  uploadedBytesTotal: count,
  tailPiecesTotal: count,
  requestsTotal: v.fallback(v.record(v.string(), count), {}),
  baseBackups: v.fallback(
    v.object({
      count,
      sumSeconds: count,
      buckets: v.pipe(v.array(count), v.length(BASE_BACKUP_BOUNDS.length), v.readonly()),
      countedUntil: v.optional(instant, absent),
    }),
    { ...NO_COUNTERS.baseBackups, countedUntil: undefined },
  ),
  lastArchived: v.fallback(v.optional(v.object({ name: v.string(), at: instant }), absent), undefined),
  lastFailure: v.fallback(
    v.optional(
      v.object({ name: v.string(), at: instant, code: optionalText, message: v.string(), hint: optionalText }),
      absent,
    ),
    undefined,
  ),
});

/** What the spool has counted so far; nothing where there is no file, or one that is no JSON. */
export async function readCounters(spoolDir: string): Promise<ArchiverCounters> {
  const text = await readTextIfPresent(join(spoolDir, FILE));
  return text === undefined ? NO_COUNTERS : (parseJsonAs(countersSchema, text) ?? NO_COUNTERS);
}

/**
 * Adds to the counters of a spool, whoever else does so at the same time, and gives the sum. Removes what killed processes left
 * there, which nobody else does where no archiver is resident. Rejects with `FILE_UNWRITABLE` or `DISK_FULL` when the file cannot
 * be written, or somebody else holds it for longer than `patienceMs`.
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
    await removeLeftovers(spoolDir, { idleMs: LEFTOVER_MS });
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
