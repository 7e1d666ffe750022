import { join } from "node:path";
import { namesIfPresent, type Owner } from "@soar/durable-files";
import { openOrdinaryIfPresent } from "@soar/durable-files/if-present";
import { formatWalSegment, parseWalSegment, segmentIndexOfLsn } from "@soar/pg-tools";
import { parseRelationPath } from "@soar/pg-tools/page-checksum";
import { createRemovalScanner, type Removals } from "@soar/pg-tools/changed-blocks";
import { holdsTransactions } from "./watched-files.ts";

/** Where a server was promoted whose files are looked at. */
export interface Promotion {
  readonly dataDir: string;
  readonly owner: Owner | undefined;
  readonly lsn: bigint;
  readonly segmentSize: number;
}

/**
 * What the WAL that a server has written since its promotion says of files that are gone or shorter. Undefined where that WAL is not all
 * there: then nobody can tell.
 */
async function readRemovals({ dataDir, owner, lsn, segmentSize }: Promotion): Promise<Removals | undefined> {
  const directory = join(dataDir, "pg_wal");
  const segments = ((await namesIfPresent(directory)) ?? []).filter((name) => /^[0-9A-F]{24}$/.test(name)).toSorted();
  const newest = segments.at(-1);
  if (newest === undefined) return undefined;
  const { timeline } = parseWalSegment(newest, segmentSize);
  const first = segmentIndexOfLsn(lsn, segmentSize);
  const present = new Set(segments);
  const scanner = createRemovalScanner({ name: formatWalSegment({ timeline, index: first }, segmentSize), from: lsn });
  for (let index = first; ; index += 1) {
    const name = formatWalSegment({ timeline, index }, segmentSize);
    await using file = present.has(name)
      ? await openOrdinaryIfPresent(join(directory, name), { within: { base: directory, owner } })
      : undefined;
    if (file === undefined) return index === first ? undefined : scanner.finish();
    for await (const bytes of file.createReadStream({ autoClose: false })) scanner.push(bytes as Buffer);
  }
}

/** Why a file that is gone or shorter than it was at the target is damaged, as a fact; undefined where none is. */
export async function findLostFile(lessThere: readonly string[], promotion: Promotion): Promise<string | undefined> {
  const [first] = lessThere;
  if (first === undefined) return undefined;
  const removals = await readRemovals(promotion);
  if (removals === undefined)
    return `${first} is gone or shorter than it was at the target, and WAL is gone that would tell whether the server has removed it`;
  const removed = removedFiles(removals);
  const lost = lessThere.find((name) => !removed(name));
  return lost === undefined
    ? undefined
    : `${lost} is gone or shorter than it was at the target, and no WAL since has removed it`;
}

/** `pg_default` (pg_tablespace.dat). */
const DEFAULT_TABLESPACE = 1663;

/** Whether a file of a name may be gone, or shorter, by what was removed: thousands of tables may be, and each has several files. */
function removedFiles({ relations, databases, transactions }: Removals): (name: string) => boolean {
  const keyOf = (...numbers: readonly number[]): string => numbers.join("/");
  const directories = new Set(databases.map(({ tablespace, database }) => keyOf(tablespace, database)));
  const files = new Set(
    relations.map(({ tablespace, database, fileNumber }) => keyOf(tablespace, database, fileNumber)),
  );
  return (name) => {
    if (holdsTransactions(name)) return transactions;
    const [, inBase, oid, inTablespace] = /^(?:base\/(\d+)|pg_tblspc\/(\d+)\/[^/]+\/(\d+))\//.exec(name) ?? [];
    const database = Number(inBase ?? inTablespace ?? 0);
    if (directories.has(keyOf(Number(oid ?? DEFAULT_TABLESPACE), database))) return true;
    const relation = parseRelationPath(name);
    return relation !== undefined && files.has(keyOf(relation.tablespace, relation.database, relation.fileNumber));
  };
}
