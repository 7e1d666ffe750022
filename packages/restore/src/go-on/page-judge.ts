import { setTimeout as delay } from "node:timers/promises";
import { findDamagedPages, pageLsn, parseRelationPath, type RelationPath } from "@soar/pg-tools/page-checksum";
import type { BackupFile, BackupPages } from "./backup-pages.ts";
import type { RemovalEvidence } from "./wal-since.ts";
import { hasOnlyLostBits, hasSoundHeader, isSameButHints, isUnfilled, isZero } from "./page-content.ts";

/** What pages are compared with. */
export interface BackupSide {
  readonly pages: Pick<BackupPages, "open" | "hasDatabaseOf"> & Partial<Pick<BackupPages, "placeOf">>;
  /** Whatever is changed by WAL behind it names a later position. */
  readonly startLsn: bigint;
  /** Whether the server replays WAL still, and writes none. */
  isRecovering(): Promise<boolean>;
  /** A position that no page can name a later one than, as things stand now. */
  endOfWal(): Promise<bigint>;
  /** What was removed, so that something else may stand in its place. */
  readonly removals: RemovalEvidence;
}

export interface PageRules {
  readonly postgresMajor: number;
  readonly blockSize: number;
  readonly blocksPerRelationFile: number;
  /** Whether pages of relations carry checksums. */
  readonly checksums: boolean;
  /** A page that is written while it is read can be torn. */
  readonly mayBeWritten: boolean;
  /** Without it pages are judged by themselves. */
  readonly backup?: BackupSide | undefined;
  /** Whether a file belongs to an unlogged table, which no backup holds and no WAL changes. */
  readonly isUnlogged?: ((name: string) => boolean) | undefined;
  /** What was found by now, in whatever file. */
  readonly known?: { hasUnknown: boolean } | undefined;
}

/** Why a page is not what its server has written; `unknown` where WAL is gone that would tell. */
export interface PageFault {
  readonly kind: "damage" | "unknown";
  readonly why: string;
}

/** Position of what a server writes into an index that it builds, before all of it is WAL: none, or `GistBuildLSN`. */
const BUILT_LSN = 1n;

/** Judges the pages of one file of a relation. */
export class PageJudge {
  readonly #name: string;
  readonly #rules: PageRules;
  readonly #relation: RelationPath;
  readonly #firstBlock: number;
  readonly #file: BackupFile | undefined;
  /** Up to which position pages that no WAL has changed are those of the backup. */
  readonly #startLsn: bigint;
  /** As it was when somebody last asked. */
  #endOfWal: bigint;

  private constructor(
    name: string,
    relation: RelationPath,
    rules: PageRules,
    { file, startLsn, endOfWal }: { file: BackupFile | undefined; startLsn: bigint; endOfWal: bigint },
  ) {
    this.#name = name;
    this.#relation = relation;
    this.#rules = rules;
    this.#firstBlock = relation.segment * rules.blocksPerRelationFile;
    this.#file = file;
    this.#startLsn = startLsn;
    this.#endOfWal = endOfWal;
  }

  /** Undefined for a file that is none of a relation. */
  static async of(name: string, rules: PageRules, file: BackupFile | undefined): Promise<PageJudge | undefined> {
    const relation = parseRelationPath(name);
    if (relation === undefined) return undefined;
    const { backup, isUnlogged } = rules;
    const isComparable =
      backup !== undefined &&
      relation.fork !== "fsm" &&
      (relation.fork === "init" || isUnlogged?.(name) !== true) &&
      (await backup.pages.hasDatabaseOf(name));
    return new PageJudge(name, relation, rules, {
      file,
      startLsn: isComparable ? backup.startLsn : -1n,
      // Asked before the first page, which would be fetched from the backup for nothing else.
      endOfWal: (await backup?.endOfWal()) ?? 0n,
    });
  }

  /**
   * The first page that is not what its server has written, of those that lie at `position` and behind it. One of which nobody can tell
   * hides none behind it that is damaged for sure.
   */
  async firstFault(
    bytes: Buffer,
    position: number,
    readAgain: (block: number) => Promise<Buffer | undefined>,
  ): Promise<(PageFault & { readonly block: number }) | undefined> {
    const { blockSize, checksums } = this.#rules;
    const first = position / blockSize;
    const damaged = checksums ? findDamagedPages(bytes, { firstBlock: this.#firstBlock + first, blockSize }) : [];
    const wrong = new Set(damaged.map(({ blockNumber }) => blockNumber - this.#firstBlock));
    let before: Buffer | undefined;
    let unknown: (PageFault & { readonly block: number }) | undefined;
    for (let at = 0; at + blockSize <= bytes.length; at += blockSize) {
      const page = bytes.subarray(at, at + blockSize);
      const block = first + at / blockSize;
      if (!wrong.has(block) && !this.#needsLook(page)) continue;
      before ??= (await this.#file?.read(position, bytes.length)) ?? Buffer.alloc(0);
      const known = before.subarray(at, at + blockSize);
      const backedUp = known.length === blockSize ? known : undefined;
      const seen = await this.#faultOf(page, block, backedUp);
      // That nobody can tell of one page is enough: no other is waited for.
      if (seen === undefined || (seen.kind === "unknown" && this.#rules.known?.hasUnknown === true)) continue;
      const fault = await readAgainUntilRight(this.#rules, async () => {
        const again = await readAgain(block);
        // Cut off meanwhile: no page any more.
        return again === undefined ? undefined : await this.#faultOf(again, block, backedUp);
      });
      if (fault?.kind === "damage") return { block, ...fault };
      if (fault === undefined) continue;
      unknown ??= { block, ...fault };
      if (this.#rules.known !== undefined) this.#rules.known.hasUnknown = true;
    }
    return unknown;
  }

  /** Whether a page whose checksum is right, or that has none, cannot be believed as it is. */
  #needsLook(page: Buffer): boolean {
    const { backup, checksums } = this.#rules;
    if (backup === undefined || isZero(page)) return false;
    const lsn = pageLsn(page);
    return lsn <= this.#startLsn || lsn > this.#endOfWal || (!checksums && !hasSoundHeader(page));
  }

  async #faultOf(page: Buffer, block: number, before: Buffer | undefined): Promise<PageFault | undefined> {
    if (isZero(page) || before?.equals(page) === true) return undefined;
    const { backup, checksums, blockSize } = this.#rules;
    if (checksums && findDamagedPages(page, { firstBlock: this.#firstBlock + block, blockSize }).length > 0)
      return damage("its checksum is wrong");
    if (backup === undefined) return undefined;
    if (!checksums && !hasSoundHeader(page)) return damage("its header is that of no page");
    const lsn = pageLsn(page);
    if (lsn > this.#endOfWal) this.#endOfWal = await backup.endOfWal();
    if (lsn > this.#endOfWal) return damage("it names a position behind the end of WAL");
    if (lsn > this.#startLsn || (await this.#isOfBackup(page, before, backup))) return undefined;
    const isInPlaceOfOther = await this.#isInPlaceOfOther(page, block, backup);
    // What may be damage or not licenses nobody to overwrite it.
    if (isInPlaceOfOther === undefined) return { kind: "unknown", why: "it is not the backup's" };
    return isInPlaceOfOther ? undefined : damage("no WAL has changed it since the backup, and it is not the backup's");
  }

  async #isOfBackup(page: Buffer, before: Buffer | undefined, backup: BackupSide): Promise<boolean> {
    if (this.#relation.fork === "vm") return hasOnlyLostBits(page, before);
    if (before !== undefined && !isZero(before)) return isSameButHints(page, before);
    return !(await backup.isRecovering()) && (isUnfilled(page) || (before === undefined && pageLsn(page) <= BUILT_LSN));
  }

  /**
   * Whether WAL has removed what the backup has there: by the end of its file, or by all of its database, of which there is a copy of
   * files since. Undefined where that WAL is gone.
   */
  async #isInPlaceOfOther(page: Buffer, block: number, backup: BackupSide): Promise<boolean | undefined> {
    const { removals } = backup;
    const since = await removals.sinceListed();
    if (since?.hasDatabaseGone(this.#name) === true) return true;
    const isCutOff = since !== undefined && block >= since.leftBlocks(this.#name);
    if (isCutOff && isBeforeItsWal(page) && !(await backup.isRecovering())) return true;
    const during = await removals.duringBackup();
    if (during?.hasDatabaseGone(this.#name) === true) return true;
    return since === undefined || during === undefined ? undefined : false;
  }
}

function damage(why: string): PageFault {
  return { kind: "damage", why };
}

/** What a server has made ready, or of an index that it builds, before it writes the WAL of it. */
function isBeforeItsWal(page: Buffer): boolean {
  return isUnfilled(page) || pageLsn(page) <= BUILT_LSN;
}

/** Within which a server has written a page that it had begun to write, unless its disk hangs. */
const ATTEMPTS = 20;
const BETWEEN_MS = 50;

/** What stays wrong for longer than a server takes to write a page. */
async function readAgainUntilRight(
  { mayBeWritten }: Pick<PageRules, "mayBeWritten">,
  look: () => Promise<PageFault | undefined>,
): Promise<PageFault | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const fault = await look();
    if (fault === undefined || attempt >= (mayBeWritten ? ATTEMPTS : 1)) return fault;
    await delay(BETWEEN_MS);
  }
}
