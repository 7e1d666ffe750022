import type { FileHandle } from "node:fs/promises";
import type { BlockRange } from "./file-list.ts";
import { isZero } from "./page-content.ts";
import { PageJudge, type PageFault, type PageRules } from "./page-judge.ts";
import { findSmallFault } from "./small-files.ts";
import { findStateFault } from "./transaction-states.ts";
import { holdsCommitTimes, holdsTransactions, keepsItsPages } from "./watched-files.ts";

/** What the pages of one file say by themselves, and compared with the backup. */
export interface JudgedFile {
  readonly bytes: number;
  /** Why it is not what its server has written, with the block of the first page that is none: one that is damaged before one of which nobody can tell. */
  readonly fault: FileFault | undefined;
  /** Blocks of nothing but zeros, where it matters: such a page is right by itself. */
  readonly zeros: readonly BlockRange[];
  /** The first page of transactions that had ended and have not any more, and what the backup has of it. */
  readonly lost?: LostPage | undefined;
}

export interface FileFault extends PageFault {
  readonly block: number | undefined;
}

export interface LostPage {
  readonly block: number;
  readonly before: Buffer;
}

const WINDOW_BYTES = 1024 * 1024;

/** Reads a file of pages from end to end, with bounded memory. */
export async function judgeFile(file: FileHandle, name: string, rules: PageRules): Promise<JudgedFile> {
  const { blockSize, backup } = rules;
  await using backedUp = backup?.pages.open(name);
  const judge = await PageJudge.of(name, rules, backedUp);
  const hasZeros = keepsItsPages(name);
  const zeros: BlockRange[] = [];
  const window = Buffer.alloc(WINDOW_BYTES);
  const readPage = async (block: number): Promise<Buffer | undefined> => await readPageOf(file, block, blockSize);
  let lost: LostPage | undefined;
  let unknown: FileFault | undefined;
  for (let position = 0; ;) {
    const length = await readFully(file, window, position);
    const bytes = window.subarray(0, length);
    const block = position / blockSize;
    const found: FileFault | undefined =
      (await judge?.firstFault(bytes, position, readPage)) ??
      (position === 0 ? smallFault(name, bytes, rules) : undefined);
    const fault = found?.kind === "damage" ? found : undefined;
    unknown ??= found;
    if (hasZeros) addZeros(zeros, bytes, { block, blockSize });
    if (fault === undefined && backedUp !== undefined && (holdsTransactions(name) || holdsCommitTimes(name))) {
      const before = await backedUp.read(position, length);
      const changed = findLost(name, bytes, before, blockSize);
      if (changed?.fault === "changed")
        return { bytes: position + length, fault: changedState(name, block + changed.page), zeros };
      if (changed !== undefined)
        lost ??= { block: block + changed.page, before: Buffer.from(pageAt(before, changed.page, blockSize)) };
    }
    position += length;
    if (fault !== undefined || length < WINDOW_BYTES) return { bytes: position, fault: fault ?? unknown, zeros, lost };
  }
}

function smallFault(name: string, bytes: Buffer, { postgresMajor }: PageRules): FileFault | undefined {
  const why = findSmallFault(name, bytes, postgresMajor);
  return why === undefined ? undefined : { kind: "damage", block: undefined, why };
}

function changedState(name: string, block: number): FileFault {
  const how = holdsCommitTimes(name) ? "at another time" : "in another way";
  return { kind: "damage", block, why: `a transaction that had ended has ended ${how}` };
}

/** The first page whose states are others, or else the first that lacks some. */
function findLost(
  name: string,
  bytes: Buffer,
  before: Buffer,
  blockSize: number,
): { readonly page: number; readonly fault: "changed" | "lost" } | undefined {
  let lost: number | undefined;
  for (let page = 0; page * blockSize < before.length; page += 1) {
    const fault = findStateFault(name, pageAt(bytes, page, blockSize), pageAt(before, page, blockSize));
    if (fault === "changed") return { page, fault };
    if (fault === "lost") lost ??= page;
  }
  return lost === undefined ? undefined : { page: lost, fault: "lost" };
}

function pageAt(bytes: Buffer, page: number, blockSize: number): Buffer {
  return bytes.subarray(page * blockSize, (page + 1) * blockSize);
}

function addZeros(
  ranges: BlockRange[],
  bytes: Buffer,
  { block, blockSize }: { readonly block: number; readonly blockSize: number },
): void {
  for (let at = 0; at + blockSize <= bytes.length; at += blockSize) {
    if (!isZero(bytes.subarray(at, at + blockSize))) continue;
    const found = block + at / blockSize;
    const last = ranges.at(-1);
    if (last !== undefined && last.last === found - 1) ranges[ranges.length - 1] = { ...last, last: found };
    else ranges.push({ first: found, last: found });
  }
}

/** One page of a file; undefined where that is over before its end. */
export async function readPageOf(file: FileHandle, block: number, blockSize: number): Promise<Buffer | undefined> {
  const page = Buffer.alloc(blockSize);
  return (await readFully(file, page, block * blockSize)) === blockSize ? page : undefined;
}

async function readFully(file: FileHandle, into: Buffer, position: number): Promise<number> {
  let length = 0;
  while (length < into.length) {
    const { bytesRead } = await file.read(into, length, into.length - length, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}
