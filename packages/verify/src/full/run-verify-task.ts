import { createHash } from "node:crypto";
import { crc32cOf } from "@soar/pg-tools/manifest";
import { findDamagedPages } from "@soar/pg-tools/page-checksum";
import { proveStoredWal } from "@soar/repository/wal";
import { decompressMemberSync, type Codec } from "@soar/seekable-tar";
import { storedDigestOf } from "@soar/seekable-tar/members";
import { free, movable, type TaskOutcome } from "@soar/task-pool";
import { isDamage } from "../finding.ts";
import { inspectSegment, objectInMemory, provedFacts } from "./inspect-segment.ts";
import type {
  CheckedMember,
  CheckedRun,
  MemberTask,
  RangeTask,
  RunTask,
  StoredRangeTask,
  VerifyResult,
  VerifyTask,
} from "./verify-task.ts";

/** Does one task on the calling thread. Damage of a member is a result, so that its neighbours are checked all the same. */
export function runVerifyTask(task: VerifyTask): TaskOutcome<VerifyResult> | Promise<TaskOutcome<VerifyResult>> {
  if (task.kind === "stored") return compareStored(task);
  return task.kind === "range" ? checkRange(task) : checkSegment(task);
}

function compareStored({ stored, members }: StoredRangeTask): TaskOutcome<VerifyResult> {
  const bytes = asBuffer(stored);
  const changed = members.flatMap(({ offset, storedLength, storedDigest }, at) =>
    storedDigestOf(bytes.subarray(offset, offset + storedLength)).compare(storedDigest) === 0 ? [] : [at],
  );
  free(bytes);
  return { result: { kind: "stored", changed }, moves: [] };
}

async function checkSegment({
  object,
  location,
  stored,
  wantsDigest,
  isStored,
}: Extract<VerifyTask, { kind: "segment" }>): Promise<TaskOutcome<VerifyResult>> {
  const decompress = (codec: Codec, bytes: Buffer, plainLength: number): Promise<Buffer> =>
    Promise.resolve(decompressMemberSync(codec, bytes, plainLength));
  const bytes = asBuffer(stored);
  const told = isStored ? provedFacts(proveStoredWal(object, bytes, `${location}/${object.key}`)) : undefined;
  const facts = told ?? (await inspectSegment(objectInMemory(location, bytes), object, { decompress, wantsDigest }));
  free(bytes);
  return { result: { kind: "segment", facts }, moves: [] };
}

function checkRange({ codec, stored, members }: RangeTask): TaskOutcome<VerifyResult> {
  const bytes = asBuffer(stored);
  const moves = new Set(stored.buffer instanceof ArrayBuffer ? [stored.buffer] : []);
  const checked = members.map((member) => {
    const result = checkMember(codec, bytes.subarray(member.offset, member.offset + member.storedLength), member);
    if ("plain" in result && result.plain?.buffer instanceof ArrayBuffer) moves.add(result.plain.buffer);
    return result;
  });
  return { result: { kind: "range", members: checked, stored }, moves: [...moves] };
}

function checkMember(
  codec: Codec,
  stored: Buffer,
  { plainLength, sha256, runs, returnsPlain }: MemberTask,
): CheckedMember {
  try {
    const plain = decompressMemberSync(codec, stored, plainLength);
    if (createHash("sha256").update(plain).digest().compare(sha256) !== 0)
      return { failure: "its SHA-256 is not the recorded one" };
    const checked = runs.map((run) => checkRun(plain, run));
    // Bare members are views on the range, which goes back.
    if (returnsPlain) return { runs: checked, plain: movable(plain) };
    if (plain.buffer !== stored.buffer) free(plain);
    return { runs: checked, plain: undefined };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { failure: error.message };
  }
}

function checkRun(plain: Buffer, { plainOffset, length, pages }: RunTask): CheckedRun {
  const bytes = plain.subarray(plainOffset, plainOffset + length);
  const damagedBlocks = pages === undefined ? [] : findDamagedPages(bytes, pages).map(({ blockNumber }) => blockNumber);
  return { checksum: crc32cOf(bytes), damagedBlocks };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
