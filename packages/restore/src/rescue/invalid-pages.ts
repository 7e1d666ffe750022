import { createInterface } from "node:readline";
import { openTrustedFile } from "@soar/durable-files/reading";
import { relationOfFile } from "./rescue-scope.ts";

/** xlogutils.c, report_invalid_page(): the relation by the path of the fork's first file. */
const INVALID_PAGE = /^(?:[^[]*\[\d+\] )?WARNING: {1,2}page \d+ of relation (\S+) (?:does not exist|is uninitialized)/;

export interface InvalidPages {
  /** Warnings in all. */
  readonly count: number;
  /** Relations that recovery missed pages of although they are no placeholders: what was replayed into them is not complete. */
  readonly relations: readonly string[];
}

/**
 * Reads what recovery said about pages that WAL refers to and that were not there. Of a placeholder that is to be
 * expected where pages have no full images; of anything else it means that the choice of files was wrong.
 */
export async function readInvalidPages(logFile: string, placeholders: ReadonlySet<string>): Promise<InvalidPages> {
  let count = 0;
  const relations = new Set<string>();
  await using log = await openTrustedFile(logFile);
  for await (const line of createInterface({
    input: log.createReadStream({ encoding: "utf8" }),
    crlfDelay: Infinity,
  })) {
    const named = INVALID_PAGE.exec(line)?.[1];
    if (named === undefined) continue;
    count += 1;
    const relation = relationOfFile(named);
    if (!placeholders.has(relation)) relations.add(relation);
  }
  return { count, relations: [...relations] };
}
