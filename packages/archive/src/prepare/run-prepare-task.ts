import { parseWalFileName } from "@soar/pg-tools";
import { isCompressibleWalFile, joinWalObject, WAL_LEVELS, WAL_MEMBER_SIZE } from "@soar/repository/wal";
import { type Codec, compressMemberSync } from "@soar/seekable-tar";
import { free, movable, type TaskOutcome } from "@soar/task-pool";
import { readWalSource } from "../wal-source.ts";
import { requireArchivable } from "../require-archivable.ts";
import type { PrepareResult, PrepareTask } from "./prepare-task.ts";

/** The memory that this thread reads files into: fresh memory for each would cost as much as reading the file. */
let reused = Buffer.alloc(0);

function reuseMemory(size: number): Buffer {
  if (reused.length < size) reused = Buffer.allocUnsafeSlow(size);
  return reused.subarray(0, size);
}

function forgetMemory(): void {
  free(reused);
  reused = Buffer.alloc(0);
}

/** Does one task on the calling thread, which does one at a time: the memory is that of the task before. Rejects as `readWalSource` does. */
export async function runPrepareTask(task: PrepareTask): Promise<TaskOutcome<PrepareResult>> {
  if (task.kind === "compress") {
    const { plain } = task;
    const stored = compressMemberSync(task.codec, Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength), {
      level: task.level ?? WAL_LEVELS[task.codec],
    });
    if (stored.buffer !== plain.buffer) free(plain);
    return leave(stored);
  }
  const codec: Codec = isCompressibleWalFile(task.name) ? task.codec : "none";
  // Bytes that are stored as they are leave with the result.
  const allocate = codec === "none" ? undefined : reuseMemory;
  const { source, identity } = await readWalSource(task.path, requireArchivable(parseWalFileName(task.name)), {
    allocate,
  });
  const { size, sha256, facts, changes, isHeld } = source;
  const described = { size, sha256, facts, identity };
  if (!isHeld) return { result: { ...described, changes, object: undefined }, moves: [] };
  let object: Buffer | undefined;
  // A file that is held is one member.
  for await (const plain of source.open(WAL_MEMBER_SIZE))
    object = joinWalObject(source, codec, compressMemberSync(codec, plain, { level: task.level ?? WAL_LEVELS[codec] }));
  if (object === undefined) throw new Error(`'${task.path}' is held and has no bytes`);
  // What compresses badly is held twice already.
  if (object.length > size / 2) forgetMemory();
  const { result, moves } = leave(object);
  return { result: { ...described, changes: undefined, object: result }, moves };
}

/** Bytes that go to the thread which asked. What stays behind of their memory is given back at once. */
function leave(bytes: Buffer): TaskOutcome<Uint8Array<ArrayBuffer>> {
  const moved = movable(bytes);
  if (moved.buffer !== bytes.buffer) free(bytes);
  return { result: moved, moves: [moved.buffer] };
}
