import type { Owner } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { parseLsn, type Lsn } from "@soar/pg-tools";
import type { BackupRecord } from "@soar/repository";
import type { ObjectStore } from "@soar/storage";
import type { Approach } from "../fetch/delta/approach.ts";
import { Tally, type Counted } from "../work-done.ts";
import { readPlannedTable } from "../wal/planned-table.ts";
import { BackupPages } from "./backup-pages.ts";
import { findUnwritten, type DoubtfulPage, type Objection } from "./doubts.ts";
import { readFileList, writeFileList, type FileList, type ListedFile } from "./file-list.ts";
import { lookAtFiles, type Looked } from "./look-at-files.ts";
import { Removed } from "./removed.ts";
import { livePositions, readServer, type ServerThere } from "./server-there.ts";
import { findMovedTablespace } from "./tablespace-places.ts";
import { readRemoved, type WalPlace } from "./wal-since.ts";
import { watchedFiles, type ClusterPlaces } from "./watched-files.ts";
import { weigh } from "./weigh.ts";

/** What was found where a restore is gone on with. Nothing is claimed of what could not be seen. */
export type FoundThere =
  /** No file was changed since the server that wrote it had ended. */
  | { readonly kind: "unchanged"; readonly files: number }
  | {
      readonly kind: "looked-at";
      /** Up to when files are known that nobody has touched; undefined where none are. */
      readonly since: FileList["moment"] | undefined;
      readonly untouched: Counted;
      readonly readFiles: Counted;
      readonly readBytes: Counted;
      /** Whether the pages that were read carry checksums. */
      readonly checksums: boolean;
      /** Names that are gone or shorter than they were, as those of dropped and truncated tables are, and of which no WAL was read to tell. */
      readonly lessThere: readonly string[];
      /** Pages with states of transactions that the backup has, and that a server may still have in memory alone. */
      readonly doubts: readonly DoubtfulPage[];
    };

export interface CheckThereOptions extends ClusterPlaces {
  readonly approach: Approach;
  /** Whether this is the place of the cluster that was backed up, whose server archives into its repository. */
  readonly inPlace: boolean;
  /** Files that are read at once. */
  readonly jobs?: number | undefined;
  readonly owner?: Owner | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Before a restore is gone on with whose server runs, or ran without anybody watching it: whatever was changed since its files
 * were last known to be right is read. A server that recovers has to stand still meanwhile. Undefined where everything is
 * fetched or compared anyway, and where the server is everybody's since. Rejects with `DIRECTORY_NOT_EMPTY` for damage, and
 * with `WAL_MISSING` or `SERVER_UNSUITABLE` where nobody can tell.
 */
export async function checkWhatIsThere(
  store: ObjectStore,
  { backup }: { readonly backup: BackupRecord },
  options: CheckThereOptions,
): Promise<FoundThere | undefined> {
  const { approach, dataDir, jobs, signal } = options;
  if (approach.kind === "fill" || approach.kind === "replace" || approach.kind === "refill") return undefined;
  if (approach.kind === "opened") return undefined;
  const { left, stopLsn } = approach.earlier;
  const isKnown = approach.kind === "finish" ? approach.isUnchanged : approach.kind !== "follow";
  if (isKnown && left !== undefined) return { kind: "unchanged", files: left.files };
  const moved = await findMovedTablespace(options);
  if (moved !== undefined) throw damaged(dataDir, moved);
  const list = await readFileList(dataDir);
  const server = await readServer(dataDir);
  await using pages = new BackupPages(store, backup, { jobs, signal });
  const past = await pastOf(store, backup, list, server, { ...options, targetLsn: parseLsn(stopLsn) });
  const side = {
    pages,
    startLsn: parseLsn(backup.startLsn),
    ...livePositions(dataDir, backup),
    removals: { sinceListed: once(past.sinceListed), duringBackup: once(past.duringBackup) },
  };
  const looked = await lookAtFiles({ ...options, list, rules: { ...server.rules, backup: side } });
  const faulty = worstFault(looked);
  if (faulty !== undefined) throw objected(options, server, faulty);
  const isSinceTarget = list?.moment === "at-target";
  const { objection, doubts, isExplained } = await weigh(looked, {
    ...server,
    pages,
    removed: past.sinceListed,
    isJudged: isSinceTarget,
    // One that is to be finished may have been its users' for weeks, and have recycled the WAL of then.
    mayBeUnknown: approach.kind === "finish",
  });
  if (objection !== undefined) throw objected(options, server, objection);
  const counts = countsOf(looked, { isExplained });
  return { kind: "looked-at", since: list?.moment, ...counts, checksums: server.rules.checksums, doubts };
}

/** How what was removed is found out. */
interface Past {
  sinceListed(): Promise<Removed | undefined>;
  duringBackup(): Promise<Removed | undefined>;
}

async function pastOf(
  store: ObjectStore,
  backup: BackupRecord,
  list: FileList | undefined,
  { control, isRecovering, rules }: ServerThere,
  { dataDir, owner, inPlace, signal, targetLsn }: CheckThereOptions & { readonly targetLsn: Lsn },
): Promise<Past> {
  const [startLsn, stopLsn] = [backup.startLsn, backup.stopLsn].map(parseLsn) as [Lsn, Lsn];
  const place: WalPlace = {
    store,
    dataDir,
    owner,
    segmentSize: control.walSegmentSize,
    geometry: rules,
    table: await readPlannedTable(dataDir),
    isRecovering,
    targetLsn,
    knownEndLsn: isRecovering ? targetLsn : control.checkpointLsn,
    isArchived: inPlace,
    signal,
  };
  const replayed = { ...place, isRecovering: true, targetLsn: stopLsn, knownEndLsn: stopLsn };
  const standsThere = isRecovering && control.minRecoveryLsn <= targetLsn;
  return {
    sinceListed: async () => {
      if (list?.moment !== "at-target") return await readRemoved(place, startLsn);
      // Replay notes the end of it in pg_control before it removes anything (xact_redo_commit and smgr_redo call XLogFlush).
      if (isRecovering) return standsThere ? Removed.nothing(rules) : undefined;
      return await readRemoved(place, targetLsn);
    },
    duringBackup: () => readRemoved(replayed, startLsn),
  };
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | undefined;
  return () => (found ??= read());
}

/** Damage that is sure before what nobody can tell, and of each the first. */
function worstFault({ readFiles }: Looked): Objection | undefined {
  const faults = readFiles.flatMap(({ file, fault }) => (fault === undefined ? [] : [{ file, ...fault }]));
  const found = faults.find(({ kind }) => kind === "damage") ?? faults[0];
  if (found === undefined) return undefined;
  const { kind, file, block, why } = found;
  return { kind, fact: `${block === undefined ? "" : `block ${block} of `}${file.name}: ${why}` };
}

function countsOf(
  { untouched, readFiles, readBytes, lessThere }: Looked,
  { isExplained }: { readonly isExplained: boolean },
): {
  readonly untouched: Counted;
  readonly readFiles: Counted;
  readonly readBytes: Counted;
  readonly lessThere: readonly string[];
} {
  const read = new Tally();
  for (const _ of readFiles) read.add(1);
  const unexplained = isExplained ? [] : lessThere.map(({ name }) => name);
  return { untouched, readFiles: read.total, readBytes, lessThere: unexplained };
}

/**
 * Throws for pages that a server which has ended has not written: nobody has them in memory any more. False where it has ended without
 * writing anything: the next start does it.
 */
export async function requireWritten(
  doubts: readonly DoubtfulPage[],
  { dataDir, tablespaces, owner }: ClusterPlaces & { readonly owner?: Owner | undefined },
): Promise<boolean> {
  const { rules, isCrashed } = await readServer(dataDir);
  if (isCrashed) return false;
  const { blockSize } = rules;
  const fact = await findUnwritten(doubts, { dataDir, tablespaces, owner, blockSize });
  if (fact !== undefined) throw damaged(dataDir, fact);
  return true;
}

/**
 * Notes what lies there while all of it is right, for a run that goes on later. Of files that are doubted it stays as it was known before:
 * what they are now nobody has proved.
 */
export async function noteFiles(
  { dataDir, tablespaces, owner, jobs, signal }: ClusterPlaces & Pick<CheckThereOptions, "owner" | "jobs" | "signal">,
  moment: FileList["moment"],
  doubts: readonly DoubtfulPage[] = [],
): Promise<void> {
  const places = { dataDir, tablespaces, owner, jobs, signal };
  if (moment === "before-recovery") {
    const files = [...(await watchedFiles(places))].map(
      ([name, file]) => [name, { ...file, zeros: undefined }] as const,
    );
    return await writeFileList(dataDir, { moment, files: new Map(files) }, owner);
  }
  const { rules } = await readServer(dataDir);
  // Pages are read for their zeros only: what they hold at the target is what recovery came to.
  const known = { list: await readFileList(dataDir), rules: { ...rules, checksums: false } };
  const files = new Map<string, ListedFile>((await lookAtFiles({ ...places, ...known })).files);
  for (const { name } of doubts) {
    const listed = known.list?.moment === moment ? known.list.files.get(name) : undefined;
    // Without it the backup tells what there was.
    if (listed === undefined) files.delete(name);
    else files.set(name, listed);
  }
  await writeFileList(dataDir, { moment, files }, owner);
}

/** The failure. Only what is damage for sure licenses anybody to overwrite it. */
function objected(
  { dataDir, approach }: Pick<CheckThereOptions, "dataDir" | "approach">,
  { isCrashed, isRecovering }: ServerThere,
  { kind, fact }: Objection,
): SoarError {
  const beginning = `unable to go on with the restore in '${dataDir}'`;
  // What is promoted may be kept as it is, whoever has let it go on.
  const forget = approach.kind === "finish" || !isRecovering ? `soar-restore forget --data-dir ${dataDir}` : undefined;
  if (isCrashed)
    return new SoarError(
      "SERVER_UNSUITABLE",
      `${beginning}: its server has crashed, and without its recovery: ${fact}`,
      {
        hint: `Start it, so that it recovers: pg_ctl -D '${dataDir}' start. Then give the command again.${forget === undefined ? "" : ` Where it does not start: ${forget}, and restore once more.`} Nothing was changed.`,
      },
    );
  if (kind === "damage") return damaged(dataDir, fact);
  const keep = forget === undefined ? "" : ` To keep it as it is: ${forget}.`;
  return new SoarError(
    "WAL_MISSING",
    `${beginning}: ${fact}, and WAL is gone, or cannot be read, that would tell whether its server did so`,
    {
      hint: `It may be damaged, or not.${keep} To know: restore into another directory, and compare. Nothing was changed.`,
    },
  );
}

function damaged(dataDir: string, fact: string): SoarError {
  return new SoarError(
    "DIRECTORY_NOT_EMPTY",
    `unable to go on with the restore in '${dataDir}': its files were damaged since: ${fact}`,
    {
      hint: "To compare everything with the backup and overwrite what differs: stop the server there, then give the command again with --delta.",
    },
  );
}
