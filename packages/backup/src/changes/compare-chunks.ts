import { readSync } from "node:fs";
import type { Lsn } from "@soar/pg-tools";
import type { ControlFile } from "@soar/pg-tools/control-file";
import { findDamagedPages, pageLsn, parseRelationPath } from "@soar/pg-tools/page-checksum";
import { type CodecPool, decompressMember } from "@soar/seekable-tar";
import { type CallOptions, type ObjectStore, readObject } from "@soar/storage";
import { mapOrdered } from "@soar/task-pool";
import type { LocalServer } from "../source/backup-source.ts";
import type { BaseChunk } from "./base-chunks.ts";
import type { UnchangedChunks } from "./unchanged-chunks.ts";

export interface CompareOptions extends CallOptions {
  readonly openFile: LocalServer["openFile"];
  readonly pace: LocalServer["pace"];
  readonly control: Pick<ControlFile, "blockSize" | "blocksPerRelationFile" | "dataChecksumVersion">;
  /** Where the backup that is being taken begins. Pages that changed later are its replay's. */
  readonly startLsn: Lsn;
  readonly pool: CodecPool;
  /** Of the chunks that need not be read, 0 to 1: how many are. */
  readonly share: number;
}

export interface Comparison {
  readonly compared: number;
  /** The first chunk that WAL does not know to have changed, and that has. */
  readonly difference: { readonly path: string; readonly block: number } | undefined;
}

const COMPARED_AT_ONCE = 4;
/** A page that is being written shows the new end behind the old beginning for a moment. */
const ATTEMPTS = 5;

/**
 * Reads some of the chunks that need not be read, chosen at random, and compares them with the earlier backup: before anything
 * is left unread. What a file lost or got meanwhile says nothing.
 */
export async function compareChunks(
  store: ObjectStore,
  unchanged: UnchangedChunks,
  options: CompareOptions,
): Promise<Comparison> {
  let compared = 0;
  const compare = async (chunk: BaseChunk, stop: AbortSignal): Promise<Comparison["difference"]> =>
    await compareChunk(store, unchanged, chunk, { ...options, signal: stop });
  const limits = { maxItems: COMPARED_AT_ONCE, signal: options.signal };
  for await (const difference of mapOrdered(choose(unchanged, options.share), compare, limits)) {
    compared += 1;
    if (difference !== undefined) return { compared, difference };
  }
  return { compared, difference: undefined };
}

function* choose(unchanged: UnchangedChunks, share: number): Generator<BaseChunk, void, undefined> {
  for (const chunk of unchanged.all()) if (Math.random() < share) yield chunk;
}

async function compareChunk(
  store: ObjectStore,
  unchanged: UnchangedChunks,
  { path, position, location }: BaseChunk,
  options: CompareOptions,
): Promise<Comparison["difference"]> {
  const { openFile, pace, pool, signal } = options;
  await pace(location.plainLength);
  const file = openFile(path);
  if (file === undefined) return undefined;
  try {
    const place = { fd: file.fd, position, length: location.plainLength };
    if (await pool.matches(place, location.sha256, { signal })) return undefined;
    const { object, codec, offset, storedLength, plainLength } = location;
    const stored = await readObject(store, object, { range: { offset, length: storedLength }, signal });
    const before = await decompressMember(codec, stored, plainLength);
    const { blockSize, blocksPerRelationFile } = options.control;
    const segment = parseRelationPath(path)?.segment ?? 0;
    const first = segment * blocksPerRelationFile + position / blockSize;
    const found = findDifference(file.fd, position, { before, firstBlock: first, ...options });
    if (found === "zeros") unchanged.forget(path);
    return typeof found === "number" ? { path, block: first + found } : undefined;
  } finally {
    file.close();
  }
}

interface PagesToCompare extends Pick<CompareOptions, "control" | "startLsn"> {
  readonly before: Buffer;
  /** Number of the first page in its fork. */
  readonly firstBlock: number;
}

/**
 * The first page that differs although nothing explains it; `zeros` for one that holds nothing any more, which is what a file has that
 * was cut off and has grown again since, or one that a disk has lost: it has to be read to be judged.
 *
 * A page at the position that it had differs in what no WAL tells: hint bits beside the first, the cache in the metapage of an
 * SP-GiST index. Its checksum is right then, where there are checksums.
 */
function findDifference(
  fd: number,
  position: number,
  { before, firstBlock, control, startLsn }: PagesToCompare,
): number | "zeros" | undefined {
  const { blockSize, dataChecksumVersion } = control;
  const page = Buffer.alloc(blockSize);
  const isRight = (index: number): boolean =>
    dataChecksumVersion === 0 ||
    findDamagedPages(page, { blockSize, firstBlock: firstBlock + index, changedBefore: startLsn }).length === 0;
  for (let at = 0; at < before.length; at += blockSize) {
    const old = before.subarray(at, at + blockSize);
    for (let attempt = 1; ; attempt += 1) {
      const count = readSync(fd, page, 0, blockSize, position + at);
      if (count < blockSize || page.equals(old)) break;
      const lsn = pageLsn(page);
      if (lsn >= startLsn || (lsn === pageLsn(old) && lsn > 0n && isRight(at / blockSize))) break;
      if (attempt < ATTEMPTS) continue;
      return page.every((byte) => byte === 0) ? "zeros" : at / blockSize;
    }
  }
  return undefined;
}
