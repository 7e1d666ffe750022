import { isSoarError, type ErrorCode } from "@soar/errors";

/** What was found wrong. `kind` is stable: monitoring and tests compare it. */
export interface Finding {
  readonly kind: FindingKind;
  /**
   * `error`: something cannot be restored, or will soon not be. `warning`: nothing is lost, but somebody should look.
   * `notice`: as it should be under the circumstances, and good to know.
   */
  readonly severity: Severity;
  /** Object key, backup label, WAL segment, or file of the cluster. */
  readonly where: string;
  readonly what: string;
  /** What to do, as a full sentence. */
  readonly advice: string;
}

export type Severity = "error" | "warning" | "notice";

export type FindingKind =
  // Backups
  | "no-backup"
  | "backup-old"
  | "backup-running"
  | "backup-interrupted"
  | "backup-record-damaged"
  | "backup-source-damaged"
  | "backup-foreign"
  | "backup-inconsistent"
  | "reference-broken"
  | "table-damaged"
  | "manifest-damaged"
  // Objects and what is in them
  | "object-missing"
  | "object-wrong-size"
  | "object-damaged"
  | "object-stray"
  | "archive-damaged"
  | "file-damaged"
  | "page-damaged"
  // WAL
  | "wal-missing"
  | "wal-gap-declared"
  | "wal-damaged"
  | "wal-wrong-size"
  | "wal-duplicate"
  | "wal-misplaced"
  | "history-missing"
  | "history-damaged"
  | "history-unused"
  | "archive-old"
  | "tail-damaged"
  // Leftovers, and the verification itself
  | "clock-wrong"
  | "tail-leftover"
  | "lease-lapsed"
  | "upload-unfinished"
  | "memory-unusable";

/** Codes that say "this object is not what it should be"; every other failure ends the verification itself. */
const DAMAGE: readonly ErrorCode[] = [
  "REPOSITORY_DAMAGED",
  "FORMAT_INVALID",
  "WAL_INVALID",
  "OBJECT_MISSING",
  "OBJECT_SHORT",
  "WAL_MISSING",
];

export function isDamage(error: unknown): error is Error & { readonly hint?: string | undefined } {
  return isSoarError(error) && DAMAGE.includes(error.code);
}

/**
 * Turns a failure that means damage into a finding. Anything else (no network, no permission) is thrown again: what cannot
 * be read is not thereby damaged, and a verification that could not look must not report health.
 */
export function findingOf(error: unknown, finding: Pick<Finding, "kind" | "where">): Finding {
  if (!isDamage(error)) throw error;
  return { ...finding, severity: "error", what: error.message, advice: error.hint ?? RESTORE_OBJECT };
}

/** Puts the worst first; within a severity by what it is and where. */
export function sortFindings(findings: Iterable<Finding>): Finding[] {
  const rank: Readonly<Record<Severity, number>> = { error: 0, warning: 1, notice: 2 };
  const keyOf = ({ kind, where, what }: Finding): string => `${kind} ${where} ${what}`;
  return [...findings].sort((a, b) => rank[a.severity] - rank[b.severity] || (keyOf(a) < keyOf(b) ? -1 : 1));
}

export const RESTORE_OBJECT =
  "Restore the object from an older version in the bucket or from a copy; until then use another backup, and take a new one.";
