import { hostname } from "node:os";
import {
  defineCommand,
  formatSize,
  openConfiguredStore,
  serverConnection,
  type Log,
  type Progress,
} from "@soar/app-kit";
import { archiveBeside } from "@soar/archive";
import {
  type BackupEvent,
  type BackupSource,
  filesSource,
  filesSourceOr,
  programSource,
  replicationSource,
  takeBackup,
  takeReplayedBackup,
} from "@soar/backup";
import { isSoarError, SoarError } from "@soar/errors";
import type { ConnectionConfig } from "@soar/pg-tools/replication";
import type { BackupRecord } from "@soar/repository";
import { readStamps } from "@soar/repository/expiry";
import type { StampBounds } from "@soar/repository/time";
import type { ObjectStore } from "@soar/storage";
import { reportOutcome, summarize, tellFailure, type TakeContext } from "./report-outcome.ts";
import { expireRepository, policyOf } from "./retention.ts";
import { scratchOptions } from "./scratch-options.ts";
import { takeOptions } from "./take-options.ts";

const LONGEST_OUTAGE_MS = 45 * 60_000;

export const take = defineCommand({
  name: "take",
  isDefault: true,
  summary: "Take a base backup, then expire.",
  description:
    "The user is a superuser, or has REPLICATION and the rights that the README grants. The backup exists when it is complete and every WAL segment that it needs is in the bucket, not earlier.",
  options: takeOptions,
  examples: [
    { command: "soar-base-backup", explanation: "with the settings of /etc/soar/backup-env" },
    {
      command: "soar-base-backup take --compression zstd --jobs 2",
      explanation: "smaller and faster than gzip, with two threads",
    },
    { command: "soar-base-backup take --incremental", explanation: "only what changed since the last backup" },
    { command: "soar-base-backup take --from-archive", explanation: "without reading anything from the server" },
  ],
  async run(context) {
    await reportOutcome(context, (onRecord) => takeAndExpire(context, onRecord));
  },
  tellRefused: (context, error) => tellFailure(context, undefined, error),
});

async function takeAndExpire(
  { config, log, output, signal, startProgress, app, envFile }: TakeContext,
  onRecord: (record: BackupRecord) => void,
): Promise<void> {
  // Providers go down for half an hour of maintenance; hours of copying must not be lost to that.
  const store = await openConfiguredStore(config, {
    log,
    envFile,
    overrides: { retry: { deadlineMs: Math.max(config.retryDeadlineMs, LONGEST_OUTAGE_MS) } },
  });
  const progress = startProgress({ label: "base backup", unit: "bytes" });
  try {
    // In a directory this machine does the stamping, and what this run stores says nothing of whether its clock is right.
    const stamps = store.features.server === undefined ? await readStamps(store, { signal }) : undefined;
    const unexplained: UnexplainedChange[] = [];
    const record = await readCluster(store, {
      config,
      log,
      progress,
      signal,
      app,
      stamps,
      onUnexplained: (change) => unexplained.push(change),
    });
    progress.finish();
    onRecord(record);
    log.info(`backup completed: ${summarize(record)}`);
    output.report({ json: record, text: () => `${record.label}  ${summarize(record)}` });
    const expiry = config.expire
      ? await attempt(() =>
          expireRepository(store, {
            policy: policyOf(config),
            unattended: true,
            stampBefore: stamps?.newest,
            now: () => new Date(),
            log,
            signal,
            approve: () => Promise.resolve(),
          }),
        )
      : undefined;
    requireUndamaged(record, expiry);
    requireExplained(record, unexplained, expiry);
    if (expiry !== undefined) throw expiry;
  } finally {
    progress.finish();
    await store.close();
  }
}

type Reading = Pick<TakeContext, "config" | "log" | "signal" | "app"> & {
  readonly progress: Progress;
  readonly stamps: StampBounds | undefined;
  readonly onUnexplained: (change: UnexplainedChange) => void;
};

type UnexplainedChange = Extract<BackupEvent, { type: "changes-wrong" }>;

async function readCluster(
  store: ObjectStore,
  { config, log, progress, signal, app, stamps, onUnexplained }: Reading,
): Promise<BackupRecord> {
  const common = {
    codec: config.compression,
    level: config.compressionLevel,
    jobs: config.jobs,
    checkpoint: config.checkpoint,
    rateLimitBytes: config.rateLimitBytes === "off" ? undefined : config.rateLimitBytes,
    incremental: config.incremental ? { fullEveryMs: config.fullEveryMs } : undefined,
    label: config.label,
    walTimeoutMs: config.walTimeoutMs,
    archiverPatienceMs: config.archiverPatienceMs,
    host: hostname(),
    toolVersion: `${app.name} ${app.version}`,
    now: () => new Date(),
    stamps,
    signal,
    compareEvery: config.compareEvery,
    onEvent(event: BackupEvent) {
      showEvent(event, { log, progress });
      if (event.type === "changes-wrong") onUnexplained(event);
    },
  };
  if (config.fromArchive)
    return await takeReplayedBackup(store, {
      ...common,
      scratch: await scratchOptions(config, { log, progress, signal }),
    });
  const server = serverConnection(config, { applicationName: "soar-base-backup", log });
  const { walCompression: codec, walCompressionLevel: level } = config;
  return await takeBackup(store, {
    ...common,
    server,
    source: sourceOf(server, config, log),
    archiveWal: archiveBeside(store, { codec, level, toolVersion: common.toolVersion }),
  });
}

function sourceOf(server: ConnectionConfig, config: TakeContext["config"], log: Log): BackupSource {
  switch (config.method) {
    case "auto":
      return filesSourceOr(server, replicationSource(server), (reason) =>
        log.info(`reading over the replication protocol: ${reason}`),
      );
    case "files":
      return filesSource(server);
    case "replication":
      return replicationSource(server);
    case "pg_basebackup":
      return programSource(server, { binDir: config.binDir, walTimeoutMs: config.walTimeoutMs });
  }
}

function showEvent(event: BackupEvent, { log, progress }: { readonly log: Log; readonly progress: Progress }): void {
  if (event.type === "progress") progress.update(event.done, event.total);
  if (event.type === "server-warning") log.warn(`the server says: ${event.message}`);
  if (event.type === "config-left-out") log.warn(event.message);
  if (event.type === "clock-doubt") log.warn(`${event.doubt}: one of the clocks is wrong; compare them (date -u)`);
  if (event.type === "clock-settled") log.warn(`the label and the times of this backup go by ${event.goesBy}`);
  if (event.type === "archiver-seen") log.debug(`the server's archiver has stored ${event.name}`);
  if (event.type === "archiver-doubt")
    log.warn(`the backup is whole, but what is written from now on may not reach the bucket: ${event.doubt}`);
  if (event.type === "waiting-for-wal") log.debug(`waiting for WAL segment ${event.missing}`);
  if (event.type === "incremental")
    log.info(event.base === undefined ? `taking a full backup: ${event.reason}` : `referring to backup ${event.base}`);
  showChanges(event, log);
  if (event.type === "interrupted-removed") log.info(`removed what the interrupted backup ${event.label} had left`);
  if (event.type === "interrupted-left")
    log.warn(`unable to remove what the interrupted backup ${event.label} left: ${event.reason}`);
}

/** What an incremental from files leaves unread, and why it does not. */
function showChanges(event: BackupEvent, log: Log): void {
  if (event.type === "changes-known")
    log.info(
      `what changed since backup ${event.base} is known from ${event.segments} WAL segments; ${event.compared} chunks that did not were compared`,
    );
  if (event.type === "changes-unknown")
    log.info(`reading every file, because what changed since backup ${event.base} is not known: ${event.reason}`);
  if (event.type === "changes-wrong")
    log.warn(
      `reading every file: block ${event.block} of '${event.path}' is not what backup ${event.base} has, and no WAL tells of a change`,
    );
  if (event.type === "left-unread") log.info(`left ${formatSize(event.bytes)} unread`);
}

/** How it failed; undefined when it did not. */
async function attempt(work: () => Promise<unknown>): Promise<SoarError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!isSoarError(error)) throw error;
    return error;
  }
}

/** The backup is kept: one bad page must not mean no backup ever again. But somebody has to hear of it, whatever became of expiry. */
function requireUndamaged(record: BackupRecord, expiry: SoarError | undefined): void {
  const { label, damagedPages, omitted } = record;
  const [first] = damagedPages;
  if (first === undefined) return;
  const besides = expiry === undefined ? "" : `; nor did expiry succeed: ${expiry.message}`;
  throw new SoarError(
    "BACKUP_DAMAGED_PAGES",
    `backup '${label}' was kept, but ${damagedPages.length + (omitted?.damagedPages ?? 0)} files of the server have damaged pages: '${first.path}' ${first.detail}${besides}`,
    {
      hint: "Find the relation with pg_amcheck, and restore it from an older backup before that one expires.",
      cause: expiry,
    },
  );
}

/** The backup is whole: everything was read. But what the next incrementals would leave unread rests on WAL that tells all. */
function requireExplained(
  { label }: BackupRecord,
  [first]: readonly UnexplainedChange[],
  expiry: SoarError | undefined,
): void {
  if (first === undefined) return;
  const besides = expiry === undefined ? "" : `; nor did expiry succeed: ${expiry.message}`;
  throw new SoarError(
    "BACKUP_UNEXPLAINED_CHANGE",
    `backup '${label}' was kept and is whole, but block ${first.block} of '${first.path}' changed since backup '${first.base}' and no WAL tells of it${besides}`,
    {
      hint: "Look for damage of the disk, or for a program that writes to the data directory beside the server. The incrementals before may have left it unread: take a full backup, and set BACKUP_COMPARE_EVERY=1 until it is found.",
      cause: expiry,
    },
  );
}
