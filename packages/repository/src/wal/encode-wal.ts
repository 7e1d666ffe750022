import { createHash } from "node:crypto";
import { SoarError } from "@soar/errors";
import type { SegmentChanges } from "@soar/pg-tools/changed-blocks";
import { crc32cOf } from "@soar/pg-tools/manifest";
import { compressMember, type Codec } from "@soar/seekable-tar";
import { free, memoryOf } from "@soar/task-pool";
import { encodeWalChanges } from "./wal-changes.ts";
import { formatWalDescription, type WalDescription } from "./wal-description.ts";

/** A file of up to so many plain bytes is one member, and lies in memory as a whole. A fact of each object, not of the format. */
export const WAL_MEMBER_SIZE = 32 * 1024 * 1024;

/**
 * Plain bytes per member of larger files, of which only a few members lie in memory. With less, a description could not list
 * the members of a segment of 1 GiB, the largest there is.
 */
const LARGE_FILE_MEMBER_SIZE = 16 * 1024 * 1024;

/**
 * Compression levels of WAL when none is asked for. zstd: level 1 takes less than half the time of level 3, and gives 1.4 %
 * *fewer* bytes of pgbench-like segments (27 ms, 2.83 MB against 57 ms, 2.87 MB; one core).
 */
export const WAL_LEVELS: Readonly<Record<Codec, number>> = { zstd: 1, gzip: 4, none: 0 };

/** A WAL file that is to be stored. Its bytes must not change meanwhile. */
export interface WalFileSource {
  /** PostgreSQL's file name (%f). */
  readonly name: string;
  /** Plain bytes. */
  readonly size: number;
  /** SHA-256 of the plain bytes, lower-case hexadecimal. */
  readonly sha256: string;
  /** What a scan of a segment found; absent for other files. */
  readonly facts?: Pick<WalDescription, "sysid" | "tx" | "open" | "rp" | "rpMore" | "pc"> | undefined;
  /** Which blocks a segment changes, as far as it was read for that. */
  readonly changes?: SegmentChanges | undefined;
  /** Whether `open` gives the very bytes in memory that were hashed, which nobody changes any more. */
  readonly isHeld?: boolean | undefined;
  /** Reads the file again from the start, in pieces of `memberSize` bytes, the last one shorter. */
  open(memberSize: number): AsyncIterable<Buffer>;
  /** The stored form as a whole, where the one pass that hashed the file made it too: see `joinWalObject`. */
  readonly encoded?: { readonly codec: Codec; readonly object: Buffer } | undefined;
}

export interface EncodeWalOptions {
  readonly level?: number | undefined;
  /** Where compression happens; by default on libuv's threads. The memory of `plain` may be given away if nothing else lies in it. */
  readonly compress?: ((plain: Buffer) => Promise<Buffer>) | undefined;
}

type DescribedSource = Pick<WalFileSource, "name" | "size" | "sha256" | "facts" | "changes">;

/**
 * The stored form of a file that is one member, `none` being the plain bytes themselves. What compresses badly is as large as
 * the file, so it is not copied: the description goes into the room that the codec left behind the member.
 */
export function joinWalObject(file: DescribedSource, codec: Codec, member: Buffer): Buffer {
  if (codec === "none") return member;
  const description = describe(file, codec, { lengths: [member.length], size: WAL_MEMBER_SIZE, crc: crc32cOf(member) });
  const end = member.byteOffset + member.length;
  // Only of memory that is the member's own: Node's pool of small buffers holds others' bytes behind it.
  const [memory] = memoryOf(member);
  if (memory === undefined || memory.byteLength - end < description.length) return Buffer.concat([member, description]);
  description.copy(Buffer.from(memory, end, description.length));
  return Buffer.from(memory, member.byteOffset, member.length + description.length);
}

/** The stored form of a file of at most `WAL_MEMBER_SIZE` bytes. Rejects with `WAL_INVALID` when it changed under our hands. */
export async function encodeWalObject(file: WalFileSource, codec: Codec, options: EncodeWalOptions): Promise<Buffer> {
  if (file.encoded?.codec === codec) return file.encoded.object;
  const pieces: Buffer[] = [];
  for await (const plain of readAgain(file, WAL_MEMBER_SIZE)) pieces.push(plain);
  const plain = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  return joinWalObject(file, codec, codec === "none" ? plain : await compressWith(codec, options)(plain));
}

/**
 * The stored form of a larger file piece by piece, none of which may be kept when the next one is asked for. Rejects with
 * `WAL_INVALID` when the file changed under our hands.
 */
export async function* encodeWalStream(
  file: WalFileSource,
  codec: Codec,
  options: EncodeWalOptions,
): AsyncGenerator<Buffer> {
  const compress = compressWith(codec, options);
  const lengths: number[] = [];
  let crc = 0;
  for await (const plain of readAgain(file, LARGE_FILE_MEMBER_SIZE)) {
    if (codec === "none") {
      yield plain;
      continue;
    }
    const stored = await compress(plain);
    lengths.push(stored.length);
    crc = crc32cOf(stored, crc);
    yield stored;
    free(stored);
  }
  if (codec !== "none") yield describe(file, codec, { lengths, size: LARGE_FILE_MEMBER_SIZE, crc });
}

/** What is read a second time may have changed since. */
async function* readAgain(file: WalFileSource, memberSize: number): AsyncGenerator<Buffer> {
  const hash = file.isHeld === true ? undefined : createHash("sha256");
  let size = 0;
  for await (const plain of file.open(memberSize)) {
    hash?.update(plain);
    size += plain.length;
    yield plain;
  }
  if (size !== file.size || (hash?.digest("hex") ?? file.sha256) !== file.sha256) throw changed(file.name);
}

function compressWith(codec: Codec, { level, compress }: EncodeWalOptions): (plain: Buffer) => Promise<Buffer> {
  return compress ?? ((plain) => compressMember(codec, plain, { level: level ?? WAL_LEVELS[codec] }));
}

interface StoredMembers {
  readonly lengths: number[];
  /** Plain bytes of each but the last. */
  readonly size: number;
  /** CRC-32C of their stored bytes. */
  readonly crc: number;
}

/** What stands behind the members: the blocks that change, and the description. */
function describe(
  { name, size, sha256, facts, changes }: DescribedSource,
  codec: Exclude<Codec, "none">,
  members: StoredMembers,
): Buffer {
  const stored = changes === undefined ? Buffer.alloc(0) : encodeWalChanges(changes, codec);
  const behind = { ...(stored.length === 0 ? {} : { changes: stored.length }), crc: crc32cOf(stored, members.crc) };
  const description = formatWalDescription(
    { v: 1, name, size, sha256, members: members.lengths, memberSize: members.size, ...facts, ...behind },
    codec,
  );
  return Buffer.concat([stored, description]);
}

function changed(name: string): SoarError {
  return new SoarError("WAL_INVALID", `unable to archive '${name}': the file changed while it was read`, {
    hint: "PostgreSQL does not change a finished segment; check what else writes to pg_wal.",
  });
}
