import { openOrdinaryIfPresent } from "@soar/durable-files/if-present";
import type { Owner } from "@soar/durable-files";
import type { ControlFile } from "@soar/pg-tools/control-file";
import type { BackupPages } from "./backup-pages.ts";
import { readPageOf } from "./judge-pages.ts";
import { newZeros, withinOf, type LessThere, type ReadFile } from "./look-at-files.ts";
import { isZero } from "./page-content.ts";
import type { Removed } from "./removed.ts";
import { findStateFault, mayBeUnwritten } from "./transaction-states.ts";
import { holdsTransactions, type ClusterPlaces } from "./watched-files.ts";

/** A page that is not what it was. Its server may have what belongs there in memory, and not have written it yet. */
export interface DoubtfulPage {
  readonly name: string;
  readonly path: string;
  readonly block: number;
  /** Of pages that are no zeros: states of transactions that the backup has, and that are gone. */
  readonly before?: Buffer | undefined;
}

/** What speaks against the files of a server, as a fact; `unknown` where WAL is gone that would tell. */
export interface Objection {
  readonly kind: "damage" | "unknown";
  readonly fact: string;
}

/** What pages of zeros, lost states and files of which less is there come to. */
export interface Weighed {
  readonly objection: Objection | undefined;
  readonly doubts: readonly DoubtfulPage[];
}

export interface Evidence {
  readonly pages: BackupPages;
  readonly control: ControlFile;
  readonly isRunning: boolean;
  /** Whether its server has ended without writing what it had in memory: the next start does it. */
  readonly isCrashed: boolean;
  /** What WAL has removed since the list was made; undefined where that cannot be known. */
  removed(): Promise<Removed | undefined>;
}

/** Of each file the first page that is zeros now and was in use before, or that lacks states of transactions. */
export async function weighPages(files: readonly ReadFile[], evidence: Evidence): Promise<Weighed> {
  const doubts: DoubtfulPage[] = [];
  for (const read of files) {
    const { name, path } = read.file;
    const block = await firstZero(read, evidence);
    const found = block !== undefined ? { block } : read.lost;
    if (found === undefined) continue;
    const doubt = { name, path, ...found };
    if ((evidence.isRunning || evidence.isCrashed) && mayBeUnwritten(name, doubt.block, evidence.control)) {
      doubts.push(doubt);
      continue;
    }
    const objection = await objectTo(doubt, evidence);
    if (objection !== undefined) return { objection, doubts };
  }
  return { objection: undefined, doubts };
}

/** The first block that is zeros and was in use, of those that no WAL has cut off. */
async function firstZero(read: ReadFile, { pages, control, removed }: Evidence): Promise<number | undefined> {
  const { name } = read.file;
  const known = newZeros(read, control.blockSize);
  const first = known === undefined ? await pages.firstInUse(name, read.zeros, control.blockSize) : known[0]?.first;
  if (first === undefined || holdsTransactions(name)) return first;
  const left = (await removed())?.leftBlocks(name) ?? Infinity;
  // Blocks behind the first lie further back.
  return first < left ? first : undefined;
}

async function objectTo(doubt: DoubtfulPage, { removed }: Evidence): Promise<Objection | undefined> {
  const fact = factOf(doubt);
  if (holdsTransactions(doubt.name) || (await removed()) !== undefined) return { kind: "damage", fact };
  return { kind: "unknown", fact };
}

/** Files of which less is there than WAL has left. */
export async function weighFiles(
  lessThere: readonly LessThere[],
  { control, removed }: Pick<Evidence, "control" | "removed">,
): Promise<Objection | undefined> {
  const [first] = lessThere;
  if (first === undefined) return undefined;
  const known = await removed();
  if (known === undefined)
    return { kind: "unknown", fact: `${first.name} is gone or shorter than it was at the target` };
  const lost = lessThere.find(
    ({ name, listed, now }) => now < Math.min(listed, known.leftBlocks(name) * control.blockSize),
  );
  if (lost === undefined) return undefined;
  const what = known.leftBlocks(lost.name) === Infinity ? "it" : "so much of it";
  return {
    kind: "damage",
    fact: `${lost.name} is gone or shorter than it was at the target, and no WAL since has removed ${what}`,
  };
}

/** Why one of these pages is damaged where a server has ended that would have written it: nobody has it in memory any more. */
export async function findUnwritten(
  doubts: readonly DoubtfulPage[],
  { dataDir, tablespaces, owner, blockSize }: ClusterPlaces & { readonly owner?: Owner | undefined; blockSize: number },
): Promise<string | undefined> {
  for (const doubt of doubts) {
    const within = withinOf(doubt.name, { dataDir, tablespaces }, owner);
    await using file = await openOrdinaryIfPresent(doubt.path, { within });
    const page = file === undefined ? undefined : await readPageOf(file, doubt.block, blockSize);
    if (page !== undefined && isStillDoubtful(doubt, page)) return factOf(doubt);
  }
  return undefined;
}

function isStillDoubtful({ name, before }: DoubtfulPage, page: Buffer): boolean {
  return before === undefined ? isZero(page) : findStateFault(name, page, before) !== undefined;
}

function factOf({ name, block, before }: DoubtfulPage): string {
  const fact =
    before === undefined
      ? "it holds nothing but zeros, and was in use"
      : "it does not know any more how transactions have ended";
  return `block ${block} of ${name}: ${fact}`;
}
