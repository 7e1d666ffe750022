import { jobsOptions, storageOptions, timezoneOptions, type Config, type OptionTable } from "@soar/app-kit";
import { hasErrorCode, SoarError } from "@soar/errors";
import { parseLsn, type Lsn } from "@soar/pg-tools";
import type { RestoreTarget } from "@soar/restore/plan";

/** What `soar-restore` and `soar-restore plan` share. */
export const targetOptions = {
  ...storageOptions,
  ...jobsOptions,
  ...timezoneOptions,
  latest: {
    type: "boolean",
    default: false,
    group: "Target",
    help: "Restore to the end of the WAL in the bucket, and on the old disk.",
  },
  "target-time": {
    type: "time",
    zoneFrom: "timezone",
    group: "Target",
    placeholder: "TIME",
    help: "Restore to this instant: 2025-01-10 14:30:00, with or without an offset.",
  },
  "target-lsn": {
    type: "string",
    group: "Target",
    placeholder: "LSN",
    help: "Restore to this position in the WAL, for example 0/5000148.",
  },
  "target-xid": {
    type: "integer",
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    group: "Target",
    placeholder: "XID",
    help: "Restore to the end of this transaction, with its epoch or without.",
  },
  "target-name": {
    type: "string",
    group: "Target",
    placeholder: "NAME",
    help: "Restore to this restore point (pg_create_restore_point).",
  },
  immediate: { type: "boolean", default: false, group: "Target", help: "Restore to the end of the backup itself." },
  exclusive: {
    type: "boolean",
    default: false,
    group: "Target",
    help: "Stop just before the target instead of just behind it.",
  },
  "base-backup": {
    type: "string",
    group: "Target",
    placeholder: "LABEL",
    unset: "the newest that can reach the target",
    help: "Begin with this backup.",
  },
  "target-timeline": {
    type: "string",
    group: "Target",
    placeholder: "N",
    unset: "latest",
    help: "Follow the timeline of this number, or the latest one.",
  },
  "data-dir": {
    type: "string",
    group: "Restore",
    placeholder: "DIR",
    unset: "that of the server that was backed up",
    help: "Data directory to fill: empty, absent, or that of the server that was backed up.",
  },
  "tablespace-map": {
    type: "list",
    group: "Restore",
    placeholder: "OLD=NEW",
    help: "New place for a tablespace, named by its old one or its OID; may be repeated.",
  },
  "bin-dir": {
    env: "BACKUP_PG_BIN_DIR",
    type: "string",
    group: "Restore",
    placeholder: "DIR",
    unset: "where packages install them",
    help: "Directory of PostgreSQL's programs.",
  },
} as const satisfies OptionTable;

/** What only a restore of the whole cluster has. */
export const directoryOptions = {
  "wal-dir": {
    type: "string",
    group: "Restore",
    placeholder: "DIR",
    unset: "within the data directory",
    help: "Put pg_wal into this empty directory, for example on a disk of its own, and a link to it where it was. In place it goes where it was by itself.",
  },
  delta: {
    type: "boolean",
    default: false,
    group: "Restore",
    help: "Fetch only what differs into a directory that holds another state of the same cluster, and overwrite it.",
  },
  "discard-old-data": {
    type: "boolean",
    default: false,
    group: "Restore",
    help: "Overwrite the old data directory instead of keeping it, where there is no room for both.",
  },
  "with-config": {
    type: "boolean",
    default: false,
    group: "Restore",
    help: "Put the server configuration that was saved with the backup back where it was. What is there is kept.",
  },
  "stop-services": {
    env: "BACKUP_APP_SERVICES",
    type: "list",
    group: "Restore",
    placeholder: "UNIT",
    help: "Services of applications, stopped before a restore in place and started when the server was proved.",
  },
  "postgres-service": {
    env: "BACKUP_POSTGRES_SERVICE",
    type: "string",
    group: "Restore",
    placeholder: "UNIT",
    unset: "found through systemd, or in Debian's list of clusters",
    help: "Service that runs PostgreSQL.",
  },
} as const satisfies OptionTable;

export type TargetConfig = Config<typeof targetOptions>;

/** Exactly one target must be named. Throws `USAGE`. */
export function targetOf(config: Omit<TargetConfig, "dataDir" | "tablespaceMap">): RestoreTarget {
  const inclusive = !config.exclusive;
  const targets: RestoreTarget[] = [];
  if (config.latest) targets.push({ kind: "latest" });
  if (config.targetTimeMicros !== undefined) targets.push({ kind: "time", time: config.targetTimeMicros, inclusive });
  if (config.targetLsn !== undefined) targets.push({ kind: "lsn", lsn: requireLsn(config.targetLsn), inclusive });
  if (config.targetXid !== undefined) targets.push({ kind: "xid", xid: config.targetXid, inclusive });
  if (config.targetName !== undefined) targets.push({ kind: "name", name: config.targetName });
  if (config.immediate) targets.push({ kind: "immediate" });
  const [target, second] = targets;
  if (target === undefined) {
    throw new SoarError("USAGE", "no target is named", {
      hint: "Add --latest, or --target-time '2025-01-10 14:25:00'. On a terminal, soar-restore with nothing said lets you choose.",
    });
  }
  if (second !== undefined)
    throw new SoarError("USAGE", `${targets.length} targets are named`, { hint: "Name exactly one target." });
  if (config.exclusive && !("inclusive" in target))
    throw new SoarError("USAGE", "--exclusive goes with a time, an LSN or a transaction only");
  return target;
}

/** The timeline that is named; undefined for the latest. Throws `TARGET_INVALID`. */
export function timelineOf({ targetTimeline }: Pick<TargetConfig, "targetTimeline">): number | undefined {
  if (targetTimeline === undefined || targetTimeline === "latest") return undefined;
  const number = /^[1-9]\d{0,9}$/.test(targetTimeline) ? Number(targetTimeline) : Infinity;
  if (number <= 0xff_ff_ff_ff) return number;
  throw new SoarError("TARGET_INVALID", `unable to follow timeline '${targetTimeline}'`, {
    hint: "Name a number, such as 2, or latest; soar-base-backup list shows the timelines.",
  });
}

function requireLsn(text: string): Lsn {
  try {
    return parseLsn(text);
  } catch (cause) {
    if (!hasErrorCode(cause, "FORMAT_INVALID")) throw cause;
    throw new SoarError("TARGET_INVALID", `unable to restore to '${text}': it is no position in the WAL`, {
      cause,
      hint: "Positions look like 0/5000148; SELECT pg_current_wal_lsn() shows one.",
    });
  }
}

/** `OLD=NEW` pairs, of which the old one may be an OID. Throws `USAGE`. */
export function tablespaceMapOf(config: TargetConfig): Map<string, string> {
  return new Map(
    config.tablespaceMap.map((pair) => {
      const at = pair.indexOf("=");
      if (at > 0 && at < pair.length - 1) return [pair.slice(0, at), pair.slice(at + 1)] as const;
      throw new SoarError("USAGE", `unable to read '${pair}' as OLD=NEW`, {
        hint: "For example --tablespace-map /mnt/fast=/mnt/restored.",
      });
    }),
  );
}
