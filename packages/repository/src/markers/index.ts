// Small records that tell expiry and restores what to leave alone and what is missing: claims, leases, pins, gaps, expired WAL.

export { listExpiredWal, type ExpiredWal } from "./expired-wal.ts";
export {
  claimLabel,
  findGap,
  findStarted,
  gapSchema,
  listGaps,
  listLeases,
  putGap,
  putKeep,
  putLease,
  type GapRecord,
  type KeepRecord,
  type LeaseRecord,
  type StartedRecord,
} from "./marker-records.ts";
export { holdLease, type HeldLease, type LeaseTerms } from "./hold-lease.ts";
