import type { FileHandle } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { findDamagedPages, parseRelationPath } from "@soar/pg-tools/page-checksum";
import type { BlockRange } from "./file-list.ts";
import { findSmallFault } from "./small-files.ts";
import { keepsItsPages } from "./watched-files.ts";

export interface PageRules {
  readonly postgresMajor: number;
  readonly blockSize: number;
  readonly blocksPerRelationFile: number;
  /** Whether pages of relations carry checksums. */
  readonly checksums: boolean;
  /** A page that is written while it is read can be torn. */
  readonly mayBeWritten: boolean;
  /** Whether a page that is wrong was so when it was backed up. */
  readonly isAsBackedUp?: ((name: string, block: number, page: Buffer) => Promise<boolean>) | undefined;
}

/** What the pages of one file say by themselves. */
export interface JudgedFile {
  readonly bytes: number;
  /** Why it is not what its server has written, with the block of the first page that is none. */
  readonly damage: { readonly block: number | undefined; readonly why: string } | undefined;
  /** Blocks of nothing but zeros, where it matters: such a page is right by itself. */
  readonly zeros: readonly BlockRange[];
}

const WINDOW_BYTES = 1024 * 1024;
/** Within which a server has written a page that it had begun to write, unless its disk hangs. */
const ATTEMPTS = 20;
const BETWEEN_MS = 50;

/** Reads a file of pages from end to end, with bounded memory. */
export async function judgeFile(file: FileHandle, name: string, rules: PageRules): Promise<JudgedFile> {
  const { blockSize } = rules;
  const relation = parseRelationPath(name);
  const isOfPages = relation !== undefined || keepsItsPages(name);
  const firstBlock = (relation?.segment ?? 0) * rules.blocksPerRelationFile;
  const isChecked = relation !== undefined && rules.checksums;
  const zeros: BlockRange[] = [];
  const window = Buffer.alloc(WINDOW_BYTES);
  for (let position = 0; ;) {
    const length = await readFully(file, window, position);
    const bytes = window.subarray(0, length);
    const block = position / blockSize;
    if (isChecked) {
      for (const { blockNumber } of findDamagedPages(bytes, { firstBlock: firstBlock + block, blockSize })) {
        const at = blockNumber - firstBlock;
        if (await staysWrong(file, name, at, { ...rules, blockNumber }))
          return { bytes: position + length, damage: { block: at, why: "its checksum is wrong" }, zeros };
      }
    }
    if (isOfPages && keepsItsPages(name)) addZeros(zeros, bytes, { block, blockSize });
    const fault = position === 0 ? findSmallFault(name, bytes, rules.postgresMajor) : undefined;
    position += length;
    if (fault !== undefined) return { bytes: position, damage: { block: undefined, why: fault }, zeros };
    if (length < WINDOW_BYTES) return { bytes: position, damage: undefined, zeros };
  }
}

/** Whether a page is wrong for longer than a server takes to write it, and was not so in the backup. */
async function staysWrong(
  file: FileHandle,
  name: string,
  block: number,
  { blockSize, blockNumber, mayBeWritten, isAsBackedUp }: PageRules & { readonly blockNumber: number },
): Promise<boolean> {
  const page = Buffer.alloc(blockSize);
  for (let attempt = 1; attempt <= (mayBeWritten ? ATTEMPTS : 1); attempt += 1) {
    const length = await readFully(file, page, block * blockSize);
    // Cut off meanwhile: no page any more.
    if (length < blockSize || findDamagedPages(page, { firstBlock: blockNumber, blockSize }).length === 0) return false;
    if ((await isAsBackedUp?.(name, block, page)) === true) return false;
    if (mayBeWritten) await delay(BETWEEN_MS);
  }
  return true;
}

const ZEROS = Buffer.alloc(32 * 1024);

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

export function isZero(page: Buffer): boolean {
  return ZEROS.compare(page, 0, page.length, 0, page.length) === 0;
}

/** Whether a page holds nothing but zeros, in a file that is not over before it. */
export async function isZeroAt(file: FileHandle, block: number, blockSize: number): Promise<boolean> {
  const page = Buffer.alloc(blockSize);
  return (await readFully(file, page, block * blockSize)) === blockSize && isZero(page);
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
