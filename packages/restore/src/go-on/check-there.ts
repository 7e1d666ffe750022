import type { Owner } from "@soar/durable-files";
import { openOrdinaryIfPresent } from "@soar/durable-files/if-present";
import { SoarError } from "@soar/errors";
import { parseLsn } from "@soar/pg-tools";
import type { BackupRecord } from "@soar/repository";
import type { ObjectStore } from "@soar/storage";
import type { Approach } from "../fetch/delta/approach.ts";
import { Tally, type Counted } from "../work-done.ts";
import { BackupPages } from "./backup-pages.ts";
import { readFileList, writeFileList, type FileList } from "./file-list.ts";
import { readPageOf } from "./judge-pages.ts";
import { isZero } from "./page-content.ts";
import { lookAtFiles, newZeros, withinOf, type Looked, type ReadFile } from "./look-at-files.ts";
import { findLostFile } from "./removed-since.ts";
import { livePositions, readServer } from "./server-there.ts";
import { findMovedTablespace } from "./tablespace-places.ts";
import { findStateFault } from "./transaction-states.ts";
import { watchedFiles, type ClusterPlaces } from "./watched-files.ts";

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
      /** Pages of zeros in the place of pages in use, and lost states of transactions, which a server may still have in memory. */
      readonly doubts: readonly DoubtfulPage[];
    };

export interface DoubtfulPage {
  readonly name: string;
  readonly path: string;
  readonly block: number;
  /** Of pages that are no zeros: states of transactions that the backup has, and that are gone. */
  readonly before?: Buffer | undefined;
}

export interface CheckThereOptions extends ClusterPlaces {
  readonly approach: Approach;
  readonly owner?: Owner | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Before a restore is gone on with whose server runs, or ran without anybody watching it: whatever was changed since its files
 * were last known to be right is read. Undefined where everything is fetched or compared anyway, and where the server is
 * everybody's since. Rejects with
 * `DIRECTORY_NOT_EMPTY` for damage.
 */
export async function checkWhatIsThere(
  store: ObjectStore,
  { backup }: { readonly backup: BackupRecord },
  options: CheckThereOptions,
): Promise<FoundThere | undefined> {
  const { approach, dataDir, signal } = options;
  if (approach.kind === "fill" || approach.kind === "replace" || approach.kind === "refill") return undefined;
  if (approach.kind === "opened") return undefined;
  const { left } = approach.earlier;
  const isKnown = approach.kind === "finish" ? approach.isUnchanged : approach.kind !== "follow";
  if (isKnown && left !== undefined) return { kind: "unchanged", files: left.files };
  const moved = await findMovedTablespace(options);
  if (moved !== undefined) throw damaged(dataDir, moved);
  const list = await readFileList(dataDir);
  const server = await readServer(dataDir);
  await using pages = new BackupPages(store, backup, { signal });
  const { blockSize, checksums } = server.rules;
  const side = { pages, startLsn: parseLsn(backup.startLsn), ...livePositions(dataDir, backup) };
  const looked = await lookAtFiles({ ...options, list, rules: { ...server.rules, backup: side } });
  for (const { file, damage } of looked.readFiles)
    if (damage !== undefined)
      throw damaged(
        dataDir,
        `${damage.block === undefined ? "" : `block ${damage.block} of `}${file.name}: ${damage.why}`,
      );
  // Replay notes the end of it in pg_control before it removes anything (xact_redo_commit and smgr_redo call XLogFlush).
  const stopLsn = parseLsn(approach.earlier.stopLsn);
  const isSinceTarget = list?.moment === "at-target";
  const standsStill = isSinceTarget && server.isRecovering && server.minRecoveryLsn <= stopLsn;
  const [gone] = looked.lessThere;
  if (standsStill && gone !== undefined) throw damaged(dataDir, `${gone} is gone or shorter than it was at the target`);
  // One that is to be finished may have been its users' for weeks.
  const isExplained = isSinceTarget && !server.isRecovering && approach.kind === "follow";
  if (isExplained) {
    const promotion = { dataDir, owner: options.owner, lsn: stopLsn, segmentSize: server.walSegmentSize };
    const lost = await findLostFile(looked.lessThere, promotion);
    if (lost !== undefined) throw damaged(dataDir, lost);
  }
  const doubts = await findDoubts(looked.readFiles, pages, blockSize);
  // What replay made anew of a page of transactions is written some time later, also while it stands still.
  const doubt = doubts.find(({ before }) => !server.isRunning || (standsStill && before === undefined));
  if (doubt !== undefined) throw damagedPage(dataDir, doubt);
  const counts = countsOf(isExplained ? { ...looked, lessThere: [] } : looked);
  return { kind: "looked-at", since: list?.moment, ...counts, checksums, doubts };
}

function countsOf({ untouched, readFiles, readBytes, lessThere }: Looked): {
  readonly untouched: Counted;
  readonly readFiles: Counted;
  readonly readBytes: Counted;
  readonly lessThere: readonly string[];
} {
  const read = new Tally();
  for (const _ of readFiles) read.add(1);
  return { untouched, readFiles: read.total, readBytes, lessThere };
}

/** Throws for pages that a server which has ended has left as zeros: nobody has them in memory any more. */
export async function requireWritten(
  doubts: readonly DoubtfulPage[],
  { dataDir, tablespaces, owner }: ClusterPlaces & { readonly owner?: Owner | undefined },
): Promise<void> {
  const { rules } = await readServer(dataDir);
  for (const doubt of doubts) {
    const within = withinOf(doubt.name, { dataDir, tablespaces }, owner);
    await using file = await openOrdinaryIfPresent(doubt.path, { within });
    const page = file === undefined ? undefined : await readPageOf(file, doubt.block, rules.blockSize);
    if (page !== undefined && isStillDoubtful(doubt, page)) throw damagedPage(dataDir, doubt);
  }
}

function isStillDoubtful({ name, before }: DoubtfulPage, page: Buffer): boolean {
  return before === undefined ? isZero(page) : findStateFault(name, page, before) !== undefined;
}

/** Notes what lies there while all of it is right, for a run that goes on later. */
export async function noteFiles(
  { dataDir, tablespaces, owner, signal }: ClusterPlaces & Pick<CheckThereOptions, "owner" | "signal">,
  moment: FileList["moment"],
): Promise<void> {
  const places = { dataDir, tablespaces, owner, signal };
  if (moment === "before-recovery") {
    const files = [...(await watchedFiles(places))].map(
      ([name, file]) => [name, { ...file, zeros: undefined }] as const,
    );
    return await writeFileList(dataDir, { moment, files: new Map(files) }, owner);
  }
  const { rules } = await readServer(dataDir);
  // Pages are read for their zeros only: what they hold at the target is what recovery came to.
  const known = { list: await readFileList(dataDir), rules: { ...rules, checksums: false } };
  const { files } = await lookAtFiles({ ...places, ...known });
  await writeFileList(dataDir, { moment, files }, owner);
}

/** Of each file the first page that is zeros now and was in use before, or that lacks states of transactions. */
async function findDoubts(
  files: readonly ReadFile[],
  pages: BackupPages,
  blockSize: number,
): Promise<readonly DoubtfulPage[]> {
  const doubts: DoubtfulPage[] = [];
  for (const read of files) {
    const { name, path } = read.file;
    const known = newZeros(read, blockSize);
    let block = known?.[0]?.first;
    for (const range of known === undefined ? read.zeros : []) block ??= await pages.firstInUse(name, range, blockSize);
    if (block !== undefined) doubts.push({ name, path, block });
    else if (read.lost !== undefined) doubts.push({ name, path, ...read.lost });
  }
  return doubts;
}

function damagedPage(dataDir: string, { name, block, before }: DoubtfulPage): SoarError {
  const fact =
    before === undefined
      ? "it holds nothing but zeros, and was in use"
      : "it does not know any more how transactions have ended";
  return damaged(dataDir, `block ${block} of ${name}: ${fact}`);
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
