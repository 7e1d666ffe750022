import { createHash } from "node:crypto";
import { closeSync, readSync } from "node:fs";
import { meansAbsent, unreadable } from "@soar/durable-files";
import { openFileBelow } from "@soar/durable-files/reading";
import { crc32cOf } from "@soar/pg-tools/manifest";
import { createPageVerifier, type PageVerifier } from "@soar/pg-tools/page-checksum";
import { compressMemberSync } from "@soar/seekable-tar";
import { type DigestFilter, storedDigestOf } from "@soar/seekable-tar/members";
import { free, memoryOf, type TaskOutcome } from "@soar/task-pool";
import type {
  BundlePiece,
  DamagedBlock,
  FileRun,
  PackedPiece,
  PackedRun,
  PageRules,
  Packing,
  ReadRun,
  ReadTask,
  SmallFile,
} from "./read-tasks.ts";

/**
 * Reads, checks, hashes and compresses one member on the calling thread, synchronously: a reader has nothing else to do. All
 * of that happens in one piece of memory, which is the verifier's.
 */
export class MemberReader {
  readonly #known: DigestFilter | undefined;
  #verifier: PageVerifier | undefined;

  /** `known` are the digests of what earlier backups hold. */
  constructor(known: DigestFilter | undefined) {
    this.#known = known;
  }

  run(task: ReadTask): TaskOutcome<PackedRun> {
    const { plainLength, pieces } = task.kind === "chunk" ? this.#readChunk(task) : this.#readBundle(task);
    const plain = this.#memory(plainLength).subarray(0, plainLength);
    const sha256 = createHash("sha256").update(plain).digest();
    const [piece] = pieces;
    // A chunk is one run, whose sum is known.
    const crc32c = task.kind === "chunk" && piece?.run !== undefined ? piece.run.crc : crc32cOf(plain);
    const sums = { plainLength, sha256, crc32c, pieces };
    if (!task.packing.always && this.#known?.mayHold(sha256) === true)
      return { result: { ...sums, stored: undefined }, moves: [] };
    const stored = compress(plain, task.packing);
    return { result: { ...sums, stored: { bytes: stored, digest: storedDigestOf(stored) } }, moves: memoryOf(stored) };
  }

  #readChunk({ fd, run, packing }: ReadTask & { kind: "chunk" }): ReadMember {
    const found = this.#readRun(fd, run, { at: 0, pages: packing.pages });
    return { plainLength: run.length, pieces: [{ offset: 0, run: found }] };
  }

  #readBundle({ pieces, packing }: ReadTask & { kind: "bundle" }): ReadMember {
    // As large as it can become: memory that grows moves.
    this.#memory(pieces.reduce((sum, piece) => sum + lengthOf(piece), 0));
    const packed: (PackedPiece | undefined)[] = [];
    let at = 0;
    for (const piece of pieces) {
      if (piece.kind === "bytes") {
        this.#memory(0).set(piece.bytes, at);
        packed.push({ offset: at, run: undefined });
        at += piece.bytes.length;
      } else {
        const found = this.#readSmallFile(piece.file, at, packing.pages);
        packed.push(found);
        if (found !== undefined) at = found.offset + piece.file.length + piece.file.padding;
      }
    }
    return { plainLength: at, pieces: packed };
  }

  #readSmallFile(file: SmallFile, at: number, pages: PageRules | undefined): PackedPiece | undefined {
    const fd = openUnlessGone(file);
    if (fd === undefined) return undefined;
    try {
      const offset = at + file.header.length;
      const memory = this.#memory(0);
      memory.set(file.header, at);
      const run = this.#readRun(fd, file, { at: offset, pages });
      memory.fill(0, offset + file.length, offset + file.length + file.padding);
      return { offset, run };
    } finally {
      closeSync(fd);
    }
  }

  #readRun(
    fd: number,
    run: FileRun,
    { at, pages }: { readonly at: number; readonly pages: PageRules | undefined },
  ): ReadRun {
    const memory = this.#memory(at + run.length);
    const content = memory.subarray(at, at + run.length);
    const count = readFully(fd, content, run);
    content.fill(0, count);
    const { firstBlock } = run;
    const damaged =
      pages === undefined || firstBlock === undefined
        ? []
        : this.#judgePages(fd, { ...run, firstBlock, at, count: Math.floor(count / pages.blockSize), pages });
    return { crc: crc32cOf(content), damaged };
  }

  /** A page that the server is writing right now is torn only for a moment: it is read again before it counts as damaged (`sendFile`). */
  #judgePages(fd: number, { position, firstBlock, at, count, pages, ...run }: JudgedPages): readonly DamagedBlock[] {
    const verifier = this.#requireVerifier();
    const { blockSize, changedBefore } = pages;
    const rules = { offset: at, count, blockSize, firstBlock, changedBefore };
    const damaged: DamagedBlock[] = [];
    let again = -1;
    for (let from = 0; ;) {
      const found = verifier.firstDamaged({ ...rules, from });
      if (found === undefined) return damaged;
      const { index } = found;
      if (again === index) {
        damaged.push({ blockNumber: firstBlock + index, found: found.found, expected: found.expected });
        from = index + 1;
      } else {
        again = index;
        from = index;
        const page = verifier.memory.subarray(at + index * blockSize, at + (index + 1) * blockSize);
        // A file that was truncated meanwhile: what is missing is zeros, and replay truncates it, too.
        page.fill(0, readFully(fd, page, { ...run, position: position + index * blockSize }));
      }
    }
  }

  #memory(length: number): Buffer {
    if (this.#verifier === undefined || this.#verifier.memory.length < length)
      this.#verifier = createPageVerifier(Math.max(length, SMALLEST_MEMORY));
    return this.#verifier.memory;
  }

  #requireVerifier(): PageVerifier {
    this.#memory(0);
    return this.#verifier as PageVerifier;
  }
}

/** A chunk and a little more. */
const SMALLEST_MEMORY = 2 * 1024 * 1024;

interface ReadMember {
  readonly plainLength: number;
  readonly pieces: readonly (PackedPiece | undefined)[];
}

interface JudgedPages extends FileRun {
  readonly firstBlock: number;
  /** Where the run lies in memory. */
  readonly at: number;
  /** Whole pages that were there. */
  readonly count: number;
  readonly pages: PageRules;
}

function lengthOf(piece: BundlePiece): number {
  if (piece.kind === "bytes") return piece.bytes.length;
  const { header, length, padding } = piece.file;
  return header.length + length + padding;
}

/** Undefined also for what is no ordinary file any more. */
function openUnlessGone({ tree, place, path }: SmallFile): number | undefined {
  try {
    return openFileBelow(tree, place);
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw unreadable(path, error);
  }
}

function readFully(fd: number, target: Uint8Array, { path, position }: Pick<FileRun, "path" | "position">): number {
  try {
    for (let done = 0; ;) {
      const count = done === target.length ? 0 : readSync(fd, target, done, target.length - done, position + done);
      if (count === 0) return done;
      done += count;
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The compressor's buffer is sized for the worst case; a tight copy keeps what waits for the upload small. */
function compress(plain: Buffer, { codec, level }: Packing): Buffer {
  const packed = compressMemberSync(codec, plain, { level });
  const stored = Buffer.allocUnsafeSlow(packed.length);
  packed.copy(stored);
  if (packed !== plain) free(packed);
  return stored;
}
