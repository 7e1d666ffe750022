import { isDeepStrictEqual } from "node:util";
import { hasErrorCode } from "@soar/errors";
import { connectSomewhere, readServerFacts, type ServerFacts, type SqlConnection } from "@soar/pg-tools/replication";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import {
  claimRepository,
  findBackupRecord,
  putBackupRecord,
  type BackupRecord,
  type RepositoryRecord,
} from "@soar/repository";
import { steadyClock, type SettledClock } from "@soar/repository/time";
import { requireCompressionLevel } from "@soar/seekable-tar/members";
import type { ObjectStore } from "@soar/storage";
import type { TakeBackupOptions } from "./backup-options.ts";
import { requireArchiving } from "./health/archiver-health.ts";
import { settleRunClock } from "./health/run-clock.ts";
import { takeBackupLock } from "./claim/backup-lock.ts";
import { claimBackup, withdrawClaim, type ClaimedBackup } from "./claim/claim-backup.ts";
import { composeRecord, inDatabases, type TransferredArchives } from "./compose-record.ts";
import { readBack } from "./prove/read-back.ts";
import { loadBase, requireReferences, trackReferences, type ChosenBase } from "./incremental-base.ts";
import { requireWhole } from "./prove/require-whole.ts";
import { requireRoom } from "./record-room.ts";
import { requireData, requireOneTimeline, requireSuitable } from "./require-usable.ts";
import { packServerConfig, readServerConfig } from "./server-config.ts";
import { describePrimary, requirePrimaryArchives } from "./health/standby-rules.ts";
import { describeArchiver, doubtArchiver } from "./server-archiver.ts";
import { readServerMachine } from "./server-host.ts";
import { storeObject, type BackupObject } from "./store/store-object.ts";
import { findBackupHistory } from "./prove/find-backup-history.ts";
import { waitForWal } from "./prove/wait-for-wal.ts";
import { type EarlierBackups, transfer } from "./transfer.ts";

/**
 * Takes a full base backup without local staging. Promise 3: the record is written last, when data, seek table, manifest
 * and every WAL segment that the backup needs are in the bucket and checked; whatever fails before leaves nothing that
 * any command takes for a backup, and gives unfinished uploads back.
 *
 * Pages that were damaged at the source do not end it: they are in the record (`damagedPages`), for the caller to alarm.
 */
export async function takeBackup(store: ObjectStore, given: TakeBackupOptions): Promise<BackupRecord> {
  const { signal, begun, host, server, stamps, onEvent } = given;
  requireCompressionLevel(given.codec, given.level);
  const begin = begun?.clock ?? steadyClock(given.now);
  const before = { ...given, now: begin.now };
  await using sql = await connectSomewhere(server, { signal });
  const facts = await readServerFacts(sql, { signal });
  requireSuitable(facts);
  requireRoom(facts, inDatabases(facts));
  await given.source.check(facts);
  const patience = { patienceMs: given.archiverPatienceMs, signal };
  if (!facts.inRecovery) await requireArchiving(sql, facts, patience);
  const config = await keepConfig(sql, before);
  const repository = await claimRepository(store, identityOf(facts), {
    toolVersion: given.toolVersion,
    now: before.now(),
    signal,
  });
  // A scratch standby has all that it replayed from the bucket.
  if (facts.inRecovery && given.replayed === undefined) await requirePrimaryArchives(store, sql, facts, patience);
  await takeBackupLock(sql, { signal });
  const clock =
    begun?.clock ?? (await settleRunClock(store, begin, { source: { sql, server }, host, stamps, signal, onEvent }));
  const options = { ...given, now: clock.now };
  const claimed =
    begun?.claimed ??
    (await claimBackup(store, { ...options, newestStamp: stamps?.newest, holdsLock: !facts.inRecovery }));
  try {
    const existing = claimed.base === undefined ? undefined : await loadExisting(store, claimed.base, options);
    // Awaited here, because the session that holds the lock ends with this block.
    return await finish(store, { options, clock, sql, facts, repository, claimed, config, existing });
  } catch (error) {
    // A run on the primary is known to be dead by its lock; for one on a standby others would wait until its claim lapses.
    if (facts.inRecovery && begun === undefined) await withdrawClaim(store, claimed, options);
    throw error;
  }
}

interface KeptConfig {
  readonly packed: Buffer;
  readonly leftOut: readonly string[];
  readonly paths: ReadonlySet<string>;
}

async function keepConfig(sql: SqlConnection, options: TakeBackupOptions): Promise<KeptConfig> {
  const { replayed, signal, now, onEvent } = options;
  const read = replayed === undefined ? await readServerConfig(sql, { signal }) : undefined;
  const leftOut = replayed?.configLeftOut ?? read?.leftOut ?? [];
  for (const message of leftOut) onEvent?.({ type: "config-left-out", message });
  const files = read?.files ?? [];
  return {
    packed: replayed?.serverConfig ?? packServerConfig(files, now()),
    leftOut,
    paths: new Set(files.map(({ path }) => path)),
  };
}

interface Run {
  readonly options: TakeBackupOptions;
  readonly clock: SettledClock;
  readonly sql: SqlConnection;
  readonly facts: ServerFacts;
  readonly repository: RepositoryRecord;
  readonly claimed: ClaimedBackup;
  readonly config: KeptConfig;
  readonly existing: EarlierBackups | undefined;
}

/** After the claim, which protects what is referred to from expiry. */
async function loadExisting(
  store: ObjectStore,
  choice: ChosenBase,
  { signal, onEvent }: TakeBackupOptions,
): Promise<Run["existing"]> {
  const loaded = await loadBase(store, choice, { signal });
  const isFull = loaded.reason !== undefined;
  onEvent?.({ type: "incremental", base: isFull ? undefined : choice.base.label, reason: loaded.reason });
  if (isFull) return undefined;
  const { base, incrementals } = choice;
  return { base, incrementals, chunks: loaded.chunks, members: trackReferences(loaded.index) };
}

async function finish(store: ObjectStore, run: Run): Promise<BackupRecord> {
  const { options, claimed } = run;
  const { signal } = options;
  const archives = await transfer(store, { ...run, label: claimed.label });
  requireOneTimeline(archives);
  for (const message of archives.warnings) options.onEvent?.({ type: "server-warning", message });
  requireData(archives);
  options.onEvent?.({ type: "reading-back" });
  const checked = await readBack(store, { label: claimed.label, archives, signal });
  const objects: BackupObject[] = [
    ...archives.objects,
    ...checked.objects,
    await storeObject(store, claimed.label, "server-config.tar.gz", run.config.packed, { signal }),
  ];
  const references = run.existing?.members.labels();
  const { host, machine } = options.replayed ?? (await readServerMachine(run.sql, options));
  const record = composeRecord({
    ...run,
    ...claimed,
    host,
    machine,
    archives,
    checked,
    objects,
    references,
    configLeftOut: run.config.leftOut,
    configPaths: run.config.paths,
    clockDoubts: allDoubts(run),
    datedBy: run.clock.goesBy,
    finishedAt: options.now(),
  });
  await waitForWal(store, {
    ...archives.wal,
    segmentSize: run.facts.walSegmentSize,
    timeoutMs: options.walTimeoutMs,
    signal,
    describeArchiver: async () => await describeArchiving(run, archives),
    onWaiting: (missing) => options.onEvent?.({ type: "waiting-for-wal", missing }),
  });
  await requireReferences(store, references ?? [], { signal });
  await requireWhole(store, { claimed, host: options.host, objects, signal });
  const backupHistory = await findBackupHistory(
    store,
    { ...archives, segmentSize: run.facts.walSegmentSize, isStandby: run.facts.inRecovery },
    { signal },
  );
  const complete = backupHistory === undefined ? record : { ...record, backupHistory };
  await publish(store, complete, signal);
  // A backup that has its WAL may end before anybody has waited for the archiver.
  const doubt = run.facts.inRecovery ? undefined : await doubtArchiver(run.sql, signal);
  if (doubt !== undefined) options.onEvent?.({ type: "archiver-doubt", doubt });
  return complete;
}

async function describeArchiving({ facts, sql }: Run, { walDoubt }: TransferredArchives): Promise<string> {
  const archiver = await (facts.inRecovery ? describePrimary() : describeArchiver(sql));
  return walDoubt === undefined ? archiver : `${archiver}; from here it was not stored either: ${walDoubt}`;
}

/** What is wrong with the clocks of a run that is about to be recorded; what became of this machine's meanwhile is told now. */
function allDoubts({ clock, options }: Run): readonly string[] {
  const jump = clock.jump();
  if (jump === undefined) return clock.doubts;
  options.onEvent?.({ type: "clock-doubt", doubt: jump });
  return [...clock.doubts, jump];
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

function identityOf(facts: ServerFacts): Parameters<typeof claimRepository>[1] {
  return {
    systemIdentifier: facts.systemIdentifier,
    postgresMajor: majorOfVersionNumber(facts.versionNumber),
    walSegmentSize: facts.walSegmentSize,
  };
}
