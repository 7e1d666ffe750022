import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RepositoryFacts } from "./repository-facts.ts";

/** What the bucket said when somebody looked last, for commands that must not ask it every time. */
export interface CachedFacts {
  readonly readAt: string;
  readonly facts: RepositoryFacts;
}

const FILE = "repository.json";

/** Undefined when nobody has looked yet, or the file is damaged. */
export async function readCachedFacts(spoolDir: string): Promise<CachedFacts | undefined> {
  try {
    const value = JSON.parse(await readFile(join(spoolDir, FILE), "utf8")) as Partial<CachedFacts>;
    return typeof value.readAt === "string" && Array.isArray(value.facts?.gaps) ? (value as CachedFacts) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && "code" in error && error.code === "ENOENT"))
      return undefined;
    throw error;
  }
}

/** Whoever writes last wins: all read the same bucket. */
export async function writeCachedFacts(spoolDir: string, cached: CachedFacts): Promise<void> {
  const temporary = join(spoolDir, `${FILE}.${process.pid}`);
  await writeFile(temporary, `${JSON.stringify(cached)}\n`, { mode: 0o600 });
  await rename(temporary, join(spoolDir, FILE));
}
