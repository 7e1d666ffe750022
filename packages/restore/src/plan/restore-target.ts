import { formatLsn, type Lsn } from "@soar/pg-tools";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";

/** Where recovery is to end. */
export type RestoreTarget =
  /** The end of the WAL that is in the bucket. */
  | { readonly kind: "latest" }
  /** Microseconds since 1970 UTC. Inclusive: a commit at exactly this time is replayed. */
  | { readonly kind: "time"; readonly time: bigint; readonly inclusive: boolean }
  | { readonly kind: "lsn"; readonly lsn: Lsn; readonly inclusive: boolean }
  /** With its epoch where that is more than 0, or without it. */
  | { readonly kind: "xid"; readonly xid: number; readonly inclusive: boolean }
  | { readonly kind: "name"; readonly name: string }
  /** As soon as the backup is consistent. */
  | { readonly kind: "immediate" };

/** The target in words, for plans and reports. */
export function describeTarget(target: RestoreTarget): string {
  switch (target.kind) {
    case "latest":
      return "latest: the end of the WAL in the bucket";
    case "time":
      return `time ${formatTargetTime(target.time)}${exclusiveMark(target.inclusive)}`;
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
