import { isDeepStrictEqual } from "node:util";
import { hasErrorCode, SoarError } from "@soar/errors";
import {
  connectSomewhere,
  holdsData,
  passedOver,
  readServerFacts,
  type ServerFacts,
  type SqlConnection,
} from "@soar/pg-tools/replication";
import { findMajor, majorOfVersionNumber, SUPPORTED_VERSIONS } from "@soar/pg-tools/majors";
import {
  claimRepository,
  findBackupRecord,
  putBackupRecord,
  type BackupRecord,
  type RepositoryRecord,
} from "@soar/repository";
import { createCodecPool } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import type { TakeBackupOptions } from "./backup-options.ts";
import { requireArchiving } from "./health/archiver-health.ts";
import { takeBackupLock, watchBackupLock } from "./claim/backup-lock.ts";
import { claimBackup, withdrawClaim, type ClaimedBackup } from "./claim/claim-backup.ts";
import { composeRecord } from "./compose-record.ts";
import { readBack } from "./prove/read-back.ts";
import { loadBase, requireReferences, trackReferences, type ChosenBase } from "./incremental-base.ts";
import { requireWhole } from "./prove/require-whole.ts";
import { packServerConfig, readServerConfig } from "./server-config.ts";
import { describePrimary, requirePrimaryArchives } from "./health/standby-rules.ts";
import { describeArchiver } from "./server-archiver.ts";
import { readServerHost } from "./server-host.ts";
import { storeArchives, type StoredArchives } from "./store/store-archives.ts";
import { storeObject, type BackupObject } from "./store/store-object.ts";
import { findBackupHistory } from "./prove/find-backup-history.ts";
import { waitForWal } from "./prove/wait-for-wal.ts";
import { readWrittenSegment, watchFirstSegment } from "./health/watch-archiving.ts";

/**
 * Takes a full base backup without local staging. Promise 3: the record is written last, when data, seek table, manifest
 * and every WAL segment that the backup needs are in the bucket and checked; whatever fails before leaves nothing that
 * any command takes for a backup, and gives unfinished uploads back.
 *
 * Pages that were damaged at the source do not end it: they are in the record (`damagedPages`), for the caller to alarm.
 */
export async function takeBackup(store: ObjectStore, options: TakeBackupOptions): Promise<BackupRecord> {
  const { signal } = options;
  await using sql = await connectSomewhere(options.server, { signal });
  const facts = await readServerFacts(sql, { signal });
  requireSuitable(facts);
  await options.source.check(facts);
  const patience = { patienceMs: options.archiverPatienceMs, signal };
  if (!facts.inRecovery) await requireArchiving(sql, facts, patience);
  const config =
    options.replayed?.serverConfig ?? packServerConfig(await readServerConfig(sql, { signal }), options.now());
  const repository = await claimRepository(store, identityOf(facts), {
    toolVersion: options.toolVersion,
    now: options.now(),
    signal,
  });
  // A scratch standby has all that it replayed from the bucket.
  if (facts.inRecovery && options.replayed === undefined) await requirePrimaryArchives(store, sql, facts, patience);
  await takeBackupLock(sql, { signal });
  const claimed = options.claimed ?? (await claimBackup(store, { ...options, holdsLock: !facts.inRecovery }));
  try {
    const existing = claimed.base === undefined ? undefined : await loadExisting(store, claimed.base, options);
    // Awaited here, because the session that holds the lock ends with this block.
    return await finish(store, { options, sql, facts, repository, claimed, config, existing });
  } catch (error) {
    // A run on the primary is known to be dead by its lock; for one on a standby others would wait until its claim lapses.
    if (facts.inRecovery && options.claimed === undefined) await withdrawClaim(store, claimed, options);
    throw error;
  }
}

interface Run {
  readonly options: TakeBackupOptions;
  readonly sql: SqlConnection;
  readonly facts: ServerFacts;
  readonly repository: RepositoryRecord;
  readonly claimed: ClaimedBackup;
  readonly config: Buffer;
  /** For an incremental: what earlier backups hold. */
  readonly existing: ReturnType<typeof trackReferences> | undefined;
}

/** After the claim, which protects what is referred to from expiry. */
async function loadExisting(
  store: ObjectStore,
  choice: ChosenBase,
  { signal, onEvent }: TakeBackupOptions,
): Promise<Run["existing"]> {
  const index = await loadBase(store, choice, { signal });
  const reason = index === undefined ? "too little of the earlier backups is still needed" : undefined;
  onEvent?.({ type: "incremental", base: index && choice.base.label, reason });
  return index && trackReferences(index);
}

async function finish(store: ObjectStore, run: Run): Promise<BackupRecord> {
  const { options, claimed } = run;
  const { signal } = options;
  const archives = await transfer(store, run);
  requireOneTimeline(archives);
  for (const message of archives.warnings) options.onEvent?.({ type: "server-warning", message });
  requireData(archives);
  options.onEvent?.({ type: "reading-back" });
  const checked = await readBack(store, { label: claimed.label, archives, signal });
  const objects: BackupObject[] = [
    ...archives.objects,
    ...checked.objects,
    await storeObject(store, claimed.label, "server-config.tar.gz", run.config, { signal }),
  ];
  const references = run.existing?.labels();
  const host = options.replayed?.host ?? (await readServerHost(run.sql, options));
  const record = composeRecord({
    ...run,
    ...claimed,
    host,
    archives,
    checked,
    objects,
    references,
    finishedAt: options.now(),
  });
  await waitForWal(store, {
    ...archives.wal,
    segmentSize: run.facts.walSegmentSize,
    timeoutMs: options.walTimeoutMs,
    signal,
    describeArchiver: () => (run.facts.inRecovery ? describePrimary() : describeArchiver(run.sql)),
    onWaiting: (missing) => options.onEvent?.({ type: "waiting-for-wal", missing }),
  });
  await requireReferences(store, references ?? [], { signal });
  await requireWhole(store, { claimed, host: options.host, objects, signal });
  const backupHistory = await findBackupHistory(
    store,
    { ...archives, segmentSize: run.facts.walSegmentSize },
    { signal },
  );
  const complete = backupHistory === undefined ? record : { ...record, backupHistory };
  await publish(store, complete, signal);
  return complete;
}

/** From here on the backup exists, also when the reply was lost: then the record that is there is this one. */
async function publish(store: ObjectStore, record: BackupRecord, signal: AbortSignal | undefined): Promise<void> {
  try {
    await putBackupRecord(store, record, { signal });
  } catch (error) {
    if (!hasErrorCode(error, "OBJECT_EXISTS")) throw error;
    if (!isDeepStrictEqual(await findBackupRecord(store, record.label, { signal }), record)) throw error;
  }
}

async function transfer(store: ObjectStore, run: Run): Promise<StoredArchives> {
  const { options, claimed, facts, existing } = run;
  const { onEvent, codec, level, jobs, checkpoint, rateLimitBytes } = options;
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const writtenTo = facts.inRecovery ? undefined : await readWrittenSegment(run.sql, facts, { signal });
  await using running = await options.source.begin({
    label: `soar ${claimed.label}`,
    checkpoint,
    rateLimitBytes,
    signal,
    onProgress: (done, total) => onEvent?.({ type: "progress", done, total }),
  });
  using lock = watchBackupLock(run.sql, { intervalMs: options.lockIntervalMs, stop });
  await using watch = watchFirstSegment(store, run.sql, {
    segmentSize: facts.walSegmentSize,
    patienceMs: options.archiverPatienceMs,
    writtenTo,
    running,
    stop,
  });
  const pool = createCodecPool({ workers: jobs });
  try {
    return await storeArchives(store, running, {
      label: claimed.label,
      codec,
      level,
      pool,
      walSegmentSize: facts.walSegmentSize,
      resolveExisting: existing?.find,
      signal,
      now: options.now,
    });
  } catch (error) {
    throw lock.failure() ?? watch.failure() ?? error;
  } finally {
    await pool.close();
  }
}

function identityOf(facts: ServerFacts): Parameters<typeof claimRepository>[1] {
  return {
    systemIdentifier: facts.systemIdentifier,
    postgresMajor: majorOfVersionNumber(facts.versionNumber),
    walSegmentSize: facts.walSegmentSize,
  };
}

function requireSuitable(facts: ServerFacts): void {
  if (findMajor(majorOfVersionNumber(facts.versionNumber)) === undefined) {
    throw new SoarError(
      "SERVER_VERSION",
      `unable to back up PostgreSQL ${facts.version}: versions ${SUPPORTED_VERSIONS} are supported`,
      { hint: "Use a version of the tools that knows this server." },
    );
  }
  // A standby's own setting means nothing: what counts is the primary's, which BASE_BACKUP reads from WAL.
  if (!facts.inRecovery && !facts.fullPageWrites) {
    throw new SoarError(
      "SERVER_UNSUITABLE",
      "unable to back up this server: full_page_writes is off, so pages that are written meanwhile cannot be repaired by replay",
      {
        hint: "ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();",
      },
    );
  }
}

/** Without an error the server passes over links where the data lies, for example of a database that somebody has moved to another disk by hand. */
function requireData({ warnings }: StoredArchives): void {
  const missing = passedOver(warnings).filter(holdsData);
  if (missing.length === 0) return;
  throw new SoarError(
    "BACKUP_INCOMPLETE",
    `the server left out what lies under '${missing.join("', '")}': it is no ordinary file or directory`,
    { hint: "Move the data back into the data directory, and use a tablespace (CREATE TABLESPACE) for another disk." },
  );
}

function requireOneTimeline({ startTimeline, timeline }: StoredArchives): void {
  if (startTimeline === timeline) return;
  throw new SoarError(
    "BACKUP_INCOMPLETE",
    `the server changed from timeline ${startTimeline} to ${timeline} during the backup`,
    { hint: "Take the backup again." },
  );
}
