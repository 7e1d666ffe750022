import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { hasErrorCode } from "@soar/errors";
import { free, memoryOf, type TaskOutcome } from "@soar/task-pool";
import { invalid } from "../codec/damage.ts";
import { crc32cOf, storedDigestOf } from "../codec/sums.ts";
import { compressMemberSync, decompressMemberSync } from "../codec/member.ts";
import type { DamagedMember, ExtractedRun, StoredMember, Task, TaskResult } from "./tasks.ts";
import { createFile, writeRun } from "./write-file.ts";

/** Does one task on the calling thread, synchronously: a worker has nothing else to do. */
export function runTask(task: Task): TaskOutcome<TaskResult> {
  switch (task.kind) {
    case "digest": {
      return { result: { plain: task.plain, sha256: sha256(task.plain) }, moves: memoryOf(task.plain) };
    }
    case "compress": {
      const plain = asBuffer(task.plain);
      const packed = compressMemberSync(task.codec, plain, { level: task.level });
      // The compressor's buffer is sized for the worst case; a tight copy keeps what waits for the upload small.
      const stored = Buffer.allocUnsafeSlow(packed.length);
      packed.copy(stored);
      if (packed !== plain) free(packed);
      const result = {
        plain: task.plain,
        sha256: sha256(plain),
        stored,
        crc32c: crc32cOf(plain),
        storedDigest: storedDigestOf(stored),
      };
      return { result, moves: [...memoryOf(task.plain), ...memoryOf(stored)] };
    }
    case "decompress": {
      const plain = openMember(task.member);
      if (plain.buffer !== task.member.stored.buffer) free(task.member.stored);
      return { result: { plain }, moves: memoryOf(plain) };
    }
    case "extract": {
      const damaged = extractAll(task.stored, task.members);
      free(task.stored);
      return { result: { damaged }, moves: [] };
    }
    case "create": {
      for (const creation of task.creations) createFile(Buffer.alloc(0), creation);
      return { result: { files: task.creations.length }, moves: [] };
    }
    case "matches": {
      return { result: { same: fileMatches(task.fd, task.position, task.length, task.sha256) }, moves: [] };
    }
  }
}

/** Stops at the first damaged member; an error of the file system is thrown. */
function extractAll(stored: Uint8Array, members: readonly ExtractedRun[]): DamagedMember | undefined {
  for (const [index, member] of members.entries()) {
    let plain: Buffer;
    try {
      plain = openProved(stored, member);
    } catch (error) {
      if (hasErrorCode(error, "FORMAT_INVALID")) return { index, message: error.message };
      throw error;
    }
    for (const write of member.writes) writeRun(plain, write);
    for (const creation of member.creations) createFile(plain, creation);
    if (plain.buffer !== stored.buffer) free(plain);
  }
  return undefined;
}

/**
 * What is stored is proved before a decompressor sees it, what comes out before anything of it is written: a gzip member and a zstd
 * frame have a checksum of their plain bytes, without which or with a wrong one they are refused.
 */
function openProved(
  range: Uint8Array,
  { codec, storedOffset, storedLength, storedDigest, plainLength }: ExtractedRun,
): Buffer {
  const stored = range.subarray(storedOffset, storedOffset + storedLength);
  if (storedDigestOf(stored).compare(storedDigest) !== 0)
    throw invalid("a member", "the SHA-256 of its stored bytes is not the recorded one");
  return decompressMemberSync(codec, asBuffer(stored), plainLength);
}

function openMember({ codec, stored, plainLength, sha256: expected }: StoredMember): Buffer {
  const plain = decompressMemberSync(codec, asBuffer(stored), plainLength);
  if (expected !== undefined && sha256(plain).compare(expected) !== 0)
    throw invalid("a member", "its SHA-256 is not the recorded one");
  return plain;
}

function fileMatches(fd: number, position: number, length: number, expected: Uint8Array): boolean {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let at = 0; at < length;) {
    const count = readSync(fd, bytes, at, length - at, position + at);
    if (count === 0) return false;
    at += count;
  }
  const same = sha256(bytes).compare(expected) === 0;
  free(bytes);
  return same;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
