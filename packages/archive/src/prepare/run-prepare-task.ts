import { parseWalFileName } from "@soar/pg-tools";
import { isCompressibleWalFile, WAL_LEVELS, WAL_MEMBER_SIZE } from "@soar/repository";
import { type Codec, compressMemberSync } from "@soar/seekable-tar";
import { readWalSource } from "../wal-source.ts";
import { requireArchivable } from "../require-archivable.ts";
import type { PreparedFacts, PrepareTask } from "./prepare-task.ts";

export interface PrepareOutcome {
  readonly result: PreparedFacts | Uint8Array;
  /** Memory that goes to the asker instead of being copied. */
  readonly moves: readonly ArrayBuffer[];
}

/** The memory that this thread reads files into: fresh memory for each would cost as much as reading the file. */
let reused = Buffer.alloc(0);

function reuseMemory(size: number): Buffer {
  if (reused.length < size) reused = Buffer.allocUnsafeSlow(size);
  return reused.subarray(0, size);
}

/** Does one task on the calling thread, which does one at a time. Rejects as `readWalSource` does. */
export async function runPrepareTask(task: PrepareTask): Promise<PrepareOutcome> {
  if (task.kind === "compress") {
    const { plain } = task;
    const stored = compressMemberSync(task.codec, Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength), {
      level: task.level ?? WAL_LEVELS[task.codec],
    });
    return movable([stored], ([bytes]) => bytes ?? stored);
  }
  const codec: Codec = isCompressibleWalFile(task.name) ? task.codec : "none";
  // Bytes that are stored as they are leave with the result.
  const allocate = codec === "none" ? undefined : reuseMemory;
  const { source, identity } = await readWalSource(task.path, requireArchivable(parseWalFileName(task.name)), {
    allocate,
  });
  const { size, sha256, facts, isHeld } = source;
  const described = { size, sha256, facts, identity };
  if (!isHeld) return { result: { ...described, members: undefined }, moves: [] };
  const members: Buffer[] = [];
  for await (const plain of source.open(WAL_MEMBER_SIZE))
    members.push(compressMemberSync(codec, plain, { level: task.level ?? WAL_LEVELS[codec] }));
  return movable(members, (moved) => ({ ...described, members: moved }));
}

/** zlib gives results in memory of their own, which moves for free; several views on one memory are copied first. */
function movable(buffers: readonly Buffer[], build: (moved: Uint8Array[]) => PrepareOutcome["result"]): PrepareOutcome {
  const seen = new Set<ArrayBufferLike>();
  const moved = buffers.map((buffer) => {
    const memory = buffer.buffer;
    const owns = memory instanceof ArrayBuffer && !seen.has(memory) && memory.byteLength < buffer.length * 2;
    const bytes = owns ? new Uint8Array(memory, buffer.byteOffset, buffer.length) : new Uint8Array(buffer);
    seen.add(bytes.buffer);
    return bytes;
  });
  return { result: build(moved), moves: moved.map(({ buffer }) => buffer) };
}
