import { join } from "node:path";
import { readTextIfPresent, replaceFile } from "@soar/durable-files";
import { parseJsonAs } from "@soar/repository";
import { gapSchema } from "@soar/repository/markers";
import * as v from "valibot";
import type { RepositoryFacts } from "./repository-facts.ts";

const whole = v.pipe(v.number(), v.safeInteger());
const instant = v.pipe(v.string(), v.isoTimestamp());
const factsSchema: v.GenericSchema<unknown, RepositoryFacts> = v.object({
  newestBackup: v.optional(
    v.object({
      label: v.string(),
      startLsn: v.string(),
      stoppedAt: instant,
      durationMs: whole,
      sizes: v.object({ database: whole, tar: whole, stored: whole, new: whole }),
    }),
    // JSON leaves it out while there is none.
    () => undefined,
  ),
  runs: v.array(v.object({ stoppedAt: instant, seconds: v.number() })),
  gaps: v.array(gapSchema),
});
const cachedSchema = v.object({ readAt: instant, facts: factsSchema });

/** What the bucket said when somebody looked last, for commands that must not ask it every time. */
export type CachedFacts = v.InferOutput<typeof cachedSchema>;

const FILE = "repository.json";

/** Undefined when nobody has looked yet, or the file is damaged. */
export async function readCachedFacts(spoolDir: string): Promise<CachedFacts | undefined> {
  const text = await readTextIfPresent(join(spoolDir, FILE));
  return text === undefined ? undefined : parseJsonAs(cachedSchema, text);
}

/** Whoever writes last wins: all read the same bucket. */
export async function writeCachedFacts(spoolDir: string, cached: CachedFacts): Promise<void> {
  // After a crash the bucket is asked once more.
  await replaceFile(join(spoolDir, FILE), `${JSON.stringify(cached)}\n`, { mode: 0o600, sync: "none" });
}
