import { join } from "node:path";
import { readTextIfPresent, replaceFile } from "@soar/durable-files";
import type { RepositoryFacts } from "./repository-facts.ts";

/** What the bucket said when somebody looked last, for commands that must not ask it every time. */
export interface CachedFacts {
  readonly readAt: string;
  readonly facts: RepositoryFacts;
}

const FILE = "repository.json";

/** Undefined when nobody has looked yet, or the file is damaged. */
export async function readCachedFacts(spoolDir: string): Promise<CachedFacts | undefined> {
  const text = await readTextIfPresent(join(spoolDir, FILE));
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<CachedFacts>;
    return typeof value.readAt === "string" && Array.isArray(value.facts?.gaps) ? (value as CachedFacts) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Whoever writes last wins: all read the same bucket. */
export async function writeCachedFacts(spoolDir: string, cached: CachedFacts): Promise<void> {
  // After a crash the bucket is asked once more.
  await replaceFile(join(spoolDir, FILE), `${JSON.stringify(cached)}\n`, { mode: 0o600, sync: "none" });
}
