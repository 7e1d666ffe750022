import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { TaskPool } from "@soar/task-pool";
import type { Codec } from "./codec/codec.ts";
import type { MemberSums } from "./table/row.ts";
import type {
  DamagedMember,
  ExtractedRun,
  FileCreation,
  StoredMember,
  Task,
  TaskResult,
  TaskResults,
} from "./pool/tasks.ts";

export interface CodecPoolOptions {
  /** Number of worker threads; by default one per processor that this process may use. */
  readonly workers?: number | undefined;
  /** Where the worker's code lies, for programs whose files lie elsewhere; by default beside this module. */
  readonly workerUrl?: URL | undefined;
}

export interface CompressTaskOptions {
  readonly level?: number | undefined;
  /**
   * Gives the whole memory under `plain` to the worker instead of a copy: `plain` is empty afterwards and the result
   * brings the memory back. Only for a buffer that shares its memory with nothing.
   */
  readonly transfer?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CompressedMember extends MemberSums {
  readonly stored: Buffer;
  /** The plain bytes: the memory that was transferred, or the copy that was made. */
  readonly plain: Buffer;
}

export interface DecompressTaskOptions {
  readonly codec: Codec;
  readonly plainLength: number;
  /** SHA-256 that the plain bytes must have; unchecked when left out. */
  readonly sha256?: Uint8Array | undefined;
  readonly transfer?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Worker threads of our own for hashing, compressing and decompressing. Node's four shared threads also serve DNS and
 * files and would be blocked by this work. Threads start when there is work and never keep an idle process alive. A
 * thread that dies fails its own tasks only. Every method rejects with `ABORTED` after `close` and for a task that had not
 * begun when its signal aborted; a task that has begun is finished.
 */
export interface CodecPool {
  readonly workers: number;
  compress(codec: Codec, plain: Buffer, options?: CompressTaskOptions): Promise<CompressedMember>;
  /** SHA-256 of the bytes; with `transfer` the result brings the memory back. */
  digest(
    plain: Buffer,
    options?: { transfer?: boolean | undefined; signal?: AbortSignal | undefined },
  ): Promise<{ sha256: Buffer; plain: Buffer }>;
  /** The plain bytes of one member, exact and checked. Rejects with `FORMAT_INVALID`. */
  decompress(stored: Buffer, options: DecompressTaskOptions): Promise<Buffer>;
  /**
   * Decompresses and checks members that lie side by side and writes their bytes to files from the worker: runs of them to
   * open files, and whole files that the worker creates. Ends at the first damaged member, of which nothing is written, and
   * tells which it is. Rejects with `FILE_UNWRITABLE` or `DISK_FULL`. Nothing is synced.
   */
  extract(
    stored: Buffer,
    members: readonly ExtractedRun[],
    options?: { transfer?: boolean | undefined; signal?: AbortSignal | undefined },
  ): Promise<DamagedMember | undefined>;
  /** Creates empty files. Rejects with `FILE_UNWRITABLE` or `DISK_FULL`. */
  create(creations: readonly FileCreation[], options?: { signal?: AbortSignal | undefined }): Promise<void>;
  /** Whether `length` bytes of an open file at `position` have this SHA-256. */
  matches(
    file: { fd: number; position: number; length: number },
    sha256: Uint8Array,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<boolean>;
  /** Stops all threads; tasks that are not finished reject. */
  close(): Promise<void>;
}

/** Creates a pool; no thread runs before there is a task. */
export function createCodecPool(options: CodecPoolOptions = {}): CodecPool {
  const workers = options.workers ?? availableParallelism();
  // A bundler does not see through this expression: bundles carry the worker as an entry of their own, `codec-worker.js`.
  const url =
    options.workerUrl ??
    new URL(import.meta.url.endsWith(".ts") ? "./codec-worker.ts" : "./codec-worker.js", import.meta.url);
  // Workers hold buffers, not objects: without the limit each would grow its young generation to some 40 MB.
  const resourceLimits = { maxYoungGenerationSizeMb: 8 };
  const threads = new TaskPool<Task, TaskResult>(() => new Worker(url, { name: "soar-codec", resourceLimits }), {
    workers,
  });
  // A worker answers a task with the result of its kind; the types cannot follow that across threads.
  const run = async <Kind extends keyof TaskResults>(
    task: Task & { kind: Kind },
    moves: readonly ArrayBuffer[],
    signal: AbortSignal | undefined,
  ) => (await threads.run(task, moves, signal)) as TaskResults[Kind];
  return {
    workers,
    async compress(codec, plain, { level, transfer, signal } = {}) {
      const sent = movable(plain, transfer);
      const result = await run({ kind: "compress", codec, level, plain: sent }, [sent.buffer], signal);
      const { stored, sha256, crc32c, storedDigest } = result;
      return {
        stored: asBuffer(stored),
        sha256: asBuffer(sha256),
        crc32c,
        storedDigest: asBuffer(storedDigest),
        plain: asBuffer(result.plain),
      };
    },
    async digest(plain, { transfer, signal } = {}) {
      const sent = movable(plain, transfer);
      const result = await run({ kind: "digest", plain: sent }, [sent.buffer], signal);
      return { sha256: asBuffer(result.sha256), plain: asBuffer(result.plain) };
    },
    async decompress(stored, { transfer, signal, ...expected }) {
      const sent = movable(stored, transfer);
      const { plain } = await run({ kind: "decompress", member: toMember(sent, expected) }, [sent.buffer], signal);
      return asBuffer(plain);
    },
    async extract(stored, members, { transfer, signal } = {}) {
      const sent = movable(stored, transfer);
      // A digest is often a view of a whole table, all of which would be copied to the worker with it.
      const sentMembers = members.map((member) => ({
        ...member,
        storedDigest: new Uint8Array(member.storedDigest),
      }));
      return (await run({ kind: "extract", stored: sent, members: sentMembers }, [sent.buffer], signal)).damaged;
    },
    async create(creations, { signal } = {}) {
      await run({ kind: "create", creations }, [], signal);
    },
    async matches(file, sha256, { signal } = {}) {
      return (await run({ kind: "matches", ...file, sha256: new Uint8Array(sha256) }, [], signal)).same;
    },
    async close() {
      await threads.close();
    },
  };
}

function toMember(
  stored: Uint8Array,
  { codec, plainLength, sha256 }: Pick<DecompressTaskOptions, "codec" | "plainLength" | "sha256">,
): StoredMember {
  // A digest is often a view of a whole table, all of which would be copied to the worker with it.
  return { codec, stored, plainLength, sha256: sha256 === undefined ? undefined : new Uint8Array(sha256) };
}

/** The same bytes in memory that can move between threads: their own with `transfer`, else a copy. */
function movable(bytes: Buffer, transfer = false): Uint8Array<ArrayBuffer> {
  if (transfer && bytes.buffer instanceof ArrayBuffer)
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new Uint8Array(bytes);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
