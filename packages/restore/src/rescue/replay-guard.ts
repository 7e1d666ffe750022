import { SoarError } from "@soar/errors";
import { formatLsn, parseLsn } from "@soar/pg-tools";
import { createWalScanner, type WalRecord, type WalScanner } from "@soar/pg-tools/wal-records";
import type { RestorePlan } from "../plan/plan.ts";

/** rmgrlist.h and tablespace.h. */
const RM_TBLSPC = 5;
const TBLSPC_CREATE = 0x00;
const TYPE_MASK = 0xf0;

/** Looks at WAL before it is replayed beside a running cluster. */
export interface ReplayGuard {
  /** Takes the segments of a plan in order. Throws `TARGET_UNREACHABLE` for one that must not be replayed here. */
  check(name: string, bytes: Buffer): void;
}

/**
 * Refuses WAL that creates a tablespace: replay takes the directory that the record names, literally, and on the host of
 * the source it would write into the living cluster's own files (safety, trap 27).
 */
export function createReplayGuard({ backup, resolved }: RestorePlan): ReplayGuard {
  const startLsn = parseLsn(backup.startLsn);
  const isDangerous = (record: WalRecord): boolean =>
    record.kind === "other" &&
    record.resourceManager === RM_TBLSPC &&
    (record.info & TYPE_MASK) === TBLSPC_CREATE &&
    record.lsn >= startLsn &&
    record.lsn < resolved.stopLsn;
  let scanner: WalScanner | undefined;
  return {
    check(name, bytes) {
      // Where the log ends for the scanner, as at a cut, it begins anew with the next segment.
      if (scanner === undefined || scanner.end !== undefined) scanner = createWalScanner({ name, everyRecord: true });
      const found = scanner.push(bytes).find(isDangerous);
      if (found === undefined) return;
      throw new SoarError(
        "TARGET_UNREACHABLE",
        `unable to replay WAL beside other clusters: a tablespace is created at ${formatLsn(found.lsn)}, and replay would write into its directory, which may be in use on this host`,
        {
          hint: "Use a backup that was taken after the tablespace was created (take a base backup from the server), a target before it, or a whole restore on another host.",
        },
      );
    },
  };
}
