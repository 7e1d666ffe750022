import { formatLsn, formatWalSegment } from "@soar/pg-tools";
import { passedOver, type ServerFacts } from "@soar/pg-tools/replication";
import { FORMAT_VERSION, type BackupRecord } from "@soar/repository";
import { DEFAULT_CHUNK_BYTES } from "@soar/seekable-tar";
import { keepWhatFits } from "./record-room.ts";
import type { CheckedBackup } from "./prove/read-back.ts";
import type { StoredArchives } from "./store/store-archives.ts";
import type { BackupObject } from "./store/store-object.ts";
import type { TakeBackupOptions } from "./backup-options.ts";

/** What was stored, and how much of it nobody read: undefined where everything was. */
export interface TransferredArchives extends StoredArchives {
  readonly unreadBytes: number | undefined;
  /** Why WAL of the backup was not stored from here; undefined where it was, or nobody was to. */
  readonly walDoubt: string | undefined;
}

export interface RecordParts {
  readonly options: TakeBackupOptions;
  readonly facts: ServerFacts;
  readonly label: string;
  /** The machine that the server runs on. */
  readonly host: string;
  /** Its published id; undefined unless the server is proved to run on the machine that takes the backup. */
  readonly machine: string | undefined;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly archives: TransferredArchives;
  readonly checked: CheckedBackup;
  readonly objects: readonly BackupObject[];
  /** Labels that an incremental refers to; undefined for a full backup. */
  readonly references: readonly string[] | undefined;
  /** What the configuration names and could not be kept, one sentence each. */
  readonly configLeftOut: readonly string[];
  /** Of its files that are kept. */
  readonly configPaths: ReadonlySet<string>;
  /** Where the clocks of the run contradict each other. */
  readonly clockDoubts: readonly string[];
  /** What named and dated it instead of the machine's clock. */
  readonly datedBy: string | undefined;
}

/** `backup.json`, from what the server said and what was stored. */
export function composeRecord(parts: RecordParts): BackupRecord {
  const { options, facts, archives, checked, startedAt, finishedAt } = parts;
  const segment = (index: number) => formatWalSegment({ timeline: archives.timeline, index }, facts.walSegmentSize);
  return {
    format: FORMAT_VERSION,
    label: parts.label,
    kind: parts.references === undefined ? "full" : "incremental",
    references: [...(parts.references ?? [])],
    systemIdentifier: facts.systemIdentifier,
    postgresVersion: facts.versionNumber,
    walSegmentSize: facts.walSegmentSize,
    timeline: archives.timeline,
    startLsn: formatLsn(archives.startLsn),
    stopLsn: formatLsn(archives.stopLsn),
    checkpointLsn: formatLsn(checked.backupLabel.checkpointLsn),
    firstSegment: segment(archives.wal.fromIndex),
    lastSegment: segment(archives.wal.toIndex),
    startedAt: startedAt.toISOString(),
    stoppedAt: archives.stoppedAt.toISOString(),
    durationMs: finishedAt.getTime() - startedAt.getTime(),
    sizes: {
      database: checked.databaseBytes,
      tar: archives.archives.reduce((sum, { summary }) => sum + summary.plainBytes, 0),
      stored: checked.fetchBytes,
      new: archives.archives.reduce((sum, { summary }) => sum + summary.storedBytes, 0),
      ...(archives.unreadBytes === undefined ? {} : { unread: archives.unreadBytes }),
    },
    codec: options.codec,
    chunkSize: DEFAULT_CHUNK_BYTES,
    source: sourceOf(parts),
    dataChecksums: facts.dataChecksums,
    settings: options.replayed?.settings ?? settingsOf(parts),
    ...inDatabases(facts),
    tablespaces: archives.archives.flatMap(({ oid, location }) =>
      oid === undefined ? [] : [{ oid, location: location ?? "" }],
    ),
    archives: archives.archives.map(({ name, oid, objects: [first, ...further], summary }) => ({
      name,
      ...(oid === undefined ? {} : { oid }),
      object: first?.name ?? "",
      ...(further.length === 0 ? {} : { further: further.map((object) => object.name) }),
      tar: summary.plainBytes,
      stored: summary.storedBytes,
    })),
    objects: [...parts.objects],
    index: {
      members: archives.table.frames.map(({ storedLength, plainLength, sha256 }) => [
        storedLength,
        plainLength,
        sha256,
      ]),
    },
    ...whatWasTold(parts),
    ...(parts.datedBy === undefined ? {} : { datedBy: parts.datedBy }),
    createdBy: options.toolVersion,
  };
}

function whatWasTold({ options, archives, configLeftOut, clockDoubts }: RecordParts): ReturnType<typeof keepWhatFits> {
  return keepWhatFits({
    damagedPages: damagedPagesOf(archives.damaged),
    // What of the configuration is missing is said first: a later backup repeats it.
    warnings: [...configLeftOut, ...archives.warnings],
    leftOut: options.replayed?.leftOut ?? passedOver(archives.warnings),
    clockDoubts,
  });
}

/** What the record says of the server's databases. */
export function inDatabases({
  databases,
  subscriptions,
}: ServerFacts): Pick<BackupRecord, "databases" | "subscriptions"> {
  return {
    databases: databases.map(({ oid, name, encoding, collate, ctype }) => ({ oid, name, encoding, collate, ctype })),
    subscriptions: subscriptions.filter(({ isEnabled }) => isEnabled).map(({ database, name }) => ({ database, name })),
  };
}

function sourceOf({ options, facts, host, machine }: RecordParts): BackupRecord["source"] {
  return {
    method: options.source.method,
    fromStandby: facts.inRecovery,
    host,
    ...(machine === undefined ? {} : { machine }),
    dataDirectory: options.replayed?.dataDirectory ?? facts.dataDirectory ?? "",
    ...(facts.superuser === undefined ? {} : { superuser: facts.superuser }),
  };
}

/** What the server found wrong is told in any case, also where it does not say in which file. */
function damagedPagesOf(damaged: StoredArchives["damaged"]): BackupRecord["damagedPages"] {
  if (damaged === undefined) return [];
  if (damaged.files.length === 0) return [{ path: "a file that the server did not name", detail: damaged.message }];
  return damaged.files.map(({ path, blocks, total }) => ({
    path,
    detail:
      blocks.length === 0
        ? damaged.message
        : `blocks ${blocks.join(", ")}${total === undefined || total <= blocks.length ? "" : ` and ${total - blocks.length} more`}`,
  }));
}

function settingsOf({ facts, configPaths }: RecordParts): Record<string, string> {
  const recovery = Object.entries(facts.recoveryParameters).map(([name, value]) => [name, String(value)] as const);
  return {
    ...facts.settings,
    ...Object.fromEntries(recovery),
    ...(facts.configFile === undefined ? {} : { config_file: facts.configFile }),
    // Debian's servers are told of a pg_hosts.conf that is not there: nothing of them is missing where it is not, either.
    ...Object.fromEntries(Object.entries(facts.accessFiles).filter(([, path]) => configPaths.has(path))),
    full_page_writes: facts.fullPageWrites ? "on" : "off",
  };
}
