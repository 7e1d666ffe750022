import { parseLsn, type Lsn } from "@soar/pg-tools";
import { RECOVERY_PARAMETERS, type RecoveryParameter } from "@soar/pg-tools/replication";
import type { BackupRecord } from "@soar/repository";
import type { WalChain } from "@soar/repository/chain";
import type { SegmentDescriptions } from "./segment-descriptions.ts";
import { segmentsUntil } from "./segments-until.ts";

/** Least values of the settings without which a hot standby stops in the middle of recovery (safety, trap 37). */
export type ParameterMinimums = Readonly<Partial<Record<RecoveryParameter, number>>>;

/** Descriptions are one small request each. */
const AT_ONCE = 16;

/**
 * As recorded with the backup, and raised where the server was started with larger ones in the WAL up to `stopLsn`. Every segment
 * is asked on the way, so that one whose own description is damaged is found before anything is touched.
 */
export async function findParameterMinimums(
  record: BackupRecord,
  chain: WalChain,
  stopLsn: Lsn,
  descriptions: SegmentDescriptions,
): Promise<ParameterMinimums> {
  const minimums = new Map<RecoveryParameter, number>();
  const raise = (values: readonly (number | undefined)[]): void => {
    for (const [index, name] of RECOVERY_PARAMETERS.entries()) {
      const value = values[index];
      if (value !== undefined && Number.isSafeInteger(value))
        minimums.set(name, Math.max(value, minimums.get(name) ?? 0));
    }
  };
  raise(
    RECOVERY_PARAMETERS.map((name) =>
      record.settings[name] === undefined ? undefined : Number(record.settings[name]),
    ),
  );
  const segments = segmentsUntil(chain, stopLsn >= parseLsn(record.stopLsn) ? stopLsn : parseLsn(record.stopLsn));
  for (let at = 0; at < segments.length; at += AT_ONCE) {
    const found = await Promise.all(
      segments.slice(at, at + AT_ONCE).map(async (segment) => (await descriptions.of(segment))?.pc),
    );
    for (const values of found) raise(values ?? []);
  }
  return Object.fromEntries(minimums);
}
