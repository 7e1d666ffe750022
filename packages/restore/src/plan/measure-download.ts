import { backupKey } from "@soar/repository";
import { readObject, type ObjectStore } from "@soar/storage";
import type { RestorePlan } from "./plan.ts";

/** How fast the backup comes from the store at this moment. */
export interface MeasuredDownload {
  readonly sampleBytes: number;
  readonly bytesPerSecond: number;
  /** For everything that there is to download, at this rate. Replay comes on top. */
  readonly totalMs: number;
}

const RANGE_BYTES = 1024 * 1024;
const LARGEST_SAMPLE = 64 * RANGE_BYTES;
/** Long enough for connections to be open and rates to settle, too short for anybody to wait. */
const LONGEST_MS = 1500;

export interface MeasureOptions {
  /** What there is to download in all. */
  readonly bytes: number;
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/**
 * Reads a sample of the backup's largest object, with as many requests at once as the restore makes; undefined when there is
 * none, or nothing to download.
 */
export async function measureDownload(
  store: ObjectStore,
  { backup }: Pick<RestorePlan, "backup">,
  { bytes: wanted, jobs, signal }: MeasureOptions,
): Promise<MeasuredDownload | undefined> {
  const largest = backup.objects.reduce<{ name: string; size: number } | undefined>(
    (best, object) => (best === undefined || object.size > best.size ? object : best),
    undefined,
  );
  if (wanted === 0 || largest === undefined || largest.size === 0) return undefined;
  const key = backupKey(backup.label, largest.name);
  // Spread over the object, so that no cache on the way answers for all of it.
  const count = Math.max(1, Math.floor(Math.min(largest.size, LARGEST_SAMPLE) / RANGE_BYTES));
  const stride = largest.size / count;
  const begin = performance.now();
  let [next, sampleBytes] = [0, 0];
  const work = async (): Promise<void> => {
    while (next < count && performance.now() - begin < LONGEST_MS) {
      const offset = Math.floor(stride * next);
      next += 1;
      const bytes = await readObject(store, key, {
        range: { offset, length: Math.min(RANGE_BYTES, largest.size - offset) },
        signal,
      });
      sampleBytes += bytes.length;
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  const bytesPerSecond = sampleBytes / ((performance.now() - begin) / 1000);
  return { sampleBytes, bytesPerSecond, totalMs: (wanted / bytesPerSecond) * 1000 };
}
