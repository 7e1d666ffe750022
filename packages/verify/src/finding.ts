import { isSoarError, type ErrorCode } from "@soar/errors";

/** What was found wrong. `kind` is stable: monitoring and tests compare it. */
export interface Finding {
  readonly kind: FindingKind;
  /** `error`: something cannot be restored. `warning`: nothing is lost, but somebody should look. */
  readonly severity: "error" | "warning";
  /** Object key, backup label or WAL segment. */
  readonly where: string;
  readonly what: string;
  /** What to do, as a full sentence. */
  readonly advice: string;
}

export type FindingKind =
  | "no-backup"
  | "backup-interrupted"
  | "backup-record-damaged"
  | "backup-source-damaged"
  | "backup-foreign"
  | "object-missing"
  | "object-wrong-size"
  | "object-damaged"
  | "object-stray"
  | "wal-missing"
  | "wal-damaged"
  | "wal-duplicate"
  | "history-missing"
  | "history-damaged";

/** Codes that say "this object is not what it should be"; every other failure ends the verification itself. */
const DAMAGE: readonly ErrorCode[] = ["REPOSITORY_DAMAGED", "FORMAT_INVALID", "WAL_INVALID", "OBJECT_MISSING", "OBJECT_SHORT", "WAL_MISSING"];

/**
 * Turns a failure that means damage into a finding. Anything else (no network, no permission) is thrown again: what cannot
 * be read is not thereby damaged, and a verification that could not look must not report health.
 */
export function findingOf(error: unknown, finding: Pick<Finding, "kind" | "where">): Finding {
  if (!isSoarError(error) || !DAMAGE.includes(error.code)) throw error;
  return { ...finding, severity: "error", what: error.message, advice: error.hint ?? "Restore the object from an older version in the bucket or from a copy." };
}
