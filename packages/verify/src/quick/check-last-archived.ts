import { formatHistoryFileName, parseWalFileName, parseWalSegment } from "@soar/pg-tools";
import { explainHole, type AbsentWal } from "@soar/repository/chain";
import { parseWalKey } from "@soar/repository/wal";
import type { Finding } from "../finding.ts";
import type { Survey } from "../survey/survey-repository.ts";

/** What the server itself says of its archive, asked before the bucket was listed. */
export type ServerWord =
  | {
      /** `pg_stat_archiver.last_archived_wal`; undefined when nothing was archived since its counters were reset. */
      readonly lastArchived: string | undefined;
    }
  /** Why it could not be asked. */
  | { readonly unusable: string };

/**
 * The end of the archive is where the listing ends: nothing in the bucket tells that the newest WAL was lost. The server
 * does, where it can be asked: what it was told to be archived has to be there.
 */
export function checkLastArchived({ objects, repository }: Survey, word: ServerWord, absent: AbsentWal): Finding[] {
  if ("unusable" in word || word.lastArchived === undefined) return [];
  const name = word.lastArchived;
  if (objects.some(({ key, size }) => parseWalKey(key, size)?.name === name)) return [];
  const file = parseWalFileName(name);
  if (file.kind === "other") return [];
  if (file.kind === "segment") {
    const { timeline } = parseWalSegment(name, repository.walSegmentSize);
    const [part] = explainHole({ timeline, from: name, to: name, count: 1 }, repository.walSegmentSize, absent);
    if (part !== undefined && part.cause !== "missing") return [];
  }
  return [
    {
      kind: "wal-missing",
      severity: "error",
      where: name,
      what: "the server says that it was archived last, and it is not in the bucket",
      advice: `Look whether archive_command leads to this bucket (SHOW archive_command) and who removes objects from it. If ${file.kind === "history" ? formatHistoryFileName(file.timeline) : name} is still in pg_wal of the server, archive it again with soar-wal-archive; then take a base backup.`,
    },
  ];
}
