import { formatLsn, type Lsn } from "@soar/pg-tools";

/** Where recovery is to end. */
export type RecoveryTarget =
  /** The end of the WAL that is in the bucket. */
  | { readonly kind: "latest" }
  /** Microseconds since 1970 UTC. Inclusive: a commit at exactly this time is replayed. */
  | { readonly kind: "time"; readonly time: bigint; readonly inclusive: boolean }
  | { readonly kind: "lsn"; readonly lsn: Lsn; readonly inclusive: boolean }
  | { readonly kind: "xid"; readonly xid: number; readonly inclusive: boolean }
  | { readonly kind: "name"; readonly name: string }
  /** As soon as the backup is consistent. */
  | { readonly kind: "immediate" };

/** `2025-01-10 14:30:00.000001+00`: microseconds since 1970 UTC in a form that PostgreSQL reads alike in every time zone. */
export function formatInstant(micros: bigint): string {
  const seconds = micros >= 0n ? micros / 1_000_000n : (micros - 999_999n) / 1_000_000n;
  const fraction = micros - seconds * 1_000_000n;
  const [date, time] = new Date(Number(seconds) * 1000).toISOString().split("T");
  return `${date} ${time?.slice(0, 8)}${fraction === 0n ? "" : `.${String(fraction).padStart(6, "0")}`}+00`;
}

/** The target in words, for plans and reports. */
export function describeTarget(target: RecoveryTarget): string {
  switch (target.kind) {
    case "latest":
      return "latest: the end of the WAL in the bucket";
    case "time":
      return `time ${formatInstant(target.time)}${exclusiveMark(target.inclusive)}`;
    case "lsn":
      return `LSN ${formatLsn(target.lsn)}${exclusiveMark(target.inclusive)}`;
    case "xid":
      return `transaction ${target.xid}${exclusiveMark(target.inclusive)}`;
    case "name":
      return `restore point '${target.name}'`;
    case "immediate":
      return "immediate: as soon as the backup is consistent";
  }
}

function exclusiveMark(inclusive: boolean): string {
  return inclusive ? "" : " (exclusive)";
}
