import { crc32 } from "node:zlib";
import { SoarError } from "@soar/errors";
import { type Codec, MEMBER_LIMIT_BYTES, STORED_MEMBER_LIMIT_BYTES } from "@soar/seekable-tar";
import * as v from "valibot";
import { byteCount, sha256Text, systemIdentifierText } from "../records/json-record.ts";

/** Plain bytes: no segment of PostgreSQL has more (`--wal-segsize`). */
export const LARGEST_SEGMENT = 1024 ** 3;

/** Stored bytes that the changed blocks of a segment may take. An extra field of gzip has at most 65,535. */
export const LARGEST_CHANGES: Readonly<Record<Exclude<Codec, "none">, number>> = { zstd: 1024 ** 2, gzip: 60_000 };

/**
 * A compressed WAL object describes itself *behind* its data: a zstd skippable frame, or an empty gzip member whose
 * extra field holds it. `zstd -d` and `gunzip` skip both. In front it would be fatal: Node 22 and 24 return no data and
 * no error for a skippable frame that is followed by data.
 *
 *   zstd   5A 2A 4D 18 | u32 length of payload | payload
 *   gzip   1F 8B 08 04 00000000 00 FF | u16 XLEN | 'S' 'R' u16 length | payload | 03 00 | 8 zero bytes
 *   payload = JSON | u32 CRC-32 of the JSON | u32 length of the JSON | "SOAR"      (all numbers little endian)
 *
 * The JSON is found from the object's end, so that one read of the last `LONGEST_DESCRIPTION` bytes is enough.
 */
const schema = v.object({
  v: v.literal(1),
  /** File name that PostgreSQL gave it. */
  name: v.string(),
  /** Plain bytes. */
  size: v.pipe(byteCount, v.maxValue(LARGEST_SEGMENT)),
  sha256: sha256Text,
  /** Stored length of each member in order; each but the last holds `memberSize` plain bytes. */
  members: v.array(v.pipe(byteCount, v.maxValue(STORED_MEMBER_LIMIT_BYTES))),
  memberSize: v.pipe(byteCount, v.maxValue(MEMBER_LIMIT_BYTES)),
  sysid: v.optional(systemIdentifierText),
  /**
   * Over the commit, abort and prepared-transaction records that *end* in this segment: their number and the earliest
   * and latest time, in microseconds since 1970 UTC. Times are not in LSN order. Absent: the file was not scanned.
   */
  tx: v.optional(v.object({ n: byteCount, first: v.optional(v.number()), last: v.optional(v.number()) })),
  /** The last record goes on in the next segment, so its time may not be counted here. */
  open: v.optional(v.literal(true)),
  /** Names of restore points, as many as fit; `rpMore` counts the rest. */
  rp: v.optional(v.array(v.string())),
  rpMore: v.optional(byteCount),
  /** Stored length of the blocks that the segment changes, which stand between the members and the description. */
  changes: v.optional(v.pipe(byteCount, v.maxValue(LARGEST_CHANGES.zstd))),
  /** CRC-32C of all stored bytes before this description: what a storage does to them shows without decompressing. */
  crc: v.optional(v.pipe(byteCount, v.maxValue(0xffff_ffff))),
  /** Largest values that a start of the server recorded here, in the order of `RECOVERY_PARAMETERS`. */
  pc: v.optional(v.array(byteCount)),
});

export type WalDescription = v.InferOutput<typeof schema>;

/** The JSON has at most this many bytes. */
const LARGEST_JSON = 1024;
const MARK = Buffer.from("SOAR", "latin1");
const ZSTD_SKIPPABLE = Buffer.from([0x5a, 0x2a, 0x4d, 0x18]);
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 0x08, 0x04, 0, 0, 0, 0, 0, 0xff]);
const GZIP_END = Buffer.from([0x03, 0x00, 0, 0, 0, 0, 0, 0, 0, 0]);
const FOOTER_LENGTH = 12;

/** A suffix read of this many bytes always holds the whole description. */
export const LONGEST_DESCRIPTION = LARGEST_JSON + FOOTER_LENGTH + GZIP_HEADER.length + 6 + GZIP_END.length;

/** The bytes to put behind the data of an object. `none` has no place for a description: use the bare bytes. */
export function formatWalDescription(description: WalDescription, codec: Exclude<Codec, "none">): Buffer {
  return frame(fitJson(description), codec);
}

/**
 * Finds and parses the description in the last bytes of an object (`LONGEST_DESCRIPTION` of them, or all).
 * Throws `REPOSITORY_DAMAGED` when there is none: every compressed WAL object has one.
 */
export function parseWalDescription(
  tail: Uint8Array,
  codec: Exclude<Codec, "none">,
  where: string,
): { description: WalDescription; length: number } {
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.byteLength);
  const end = bytes.length - (codec === "zstd" ? 0 : GZIP_END.length);
  const jsonEnd = end - FOOTER_LENGTH;
  const jsonLength =
    jsonEnd > 0 && bytes.subarray(end - MARK.length, end).equals(MARK) ? bytes.readUInt32LE(jsonEnd + 4) : -1;
  const jsonStart = jsonEnd - jsonLength;
  const header = codec === "zstd" ? 8 : GZIP_HEADER.length + 6;
  if (jsonLength < 0 || jsonLength > LARGEST_JSON || jsonStart < header)
    throw damaged(where, "it has no description behind its data");
  const json = bytes.subarray(jsonStart, jsonEnd);
  const framed = frame(json, codec);
  // Every byte around the JSON is known, and the JSON has a checksum: any flipped bit is seen here.
  if (!bytes.subarray(bytes.length - framed.length).equals(framed))
    throw damaged(where, "the description behind its data is not well-formed");
  return { description: parseJson(json, where), length: framed.length };
}

/** Puts the payload around the JSON and the codec's frame around the payload. */
function frame(json: Buffer, codec: Exclude<Codec, "none">): Buffer {
  const footer = Buffer.alloc(FOOTER_LENGTH);
  footer.writeUInt32LE(crc32(json), 0);
  footer.writeUInt32LE(json.length, 4);
  MARK.copy(footer, 8);
  const payload = Buffer.concat([json, footer]);
  return codec === "zstd" ? zstdFrame(payload) : gzipMember(payload);
}

function parseJson(json: Buffer, where: string): WalDescription {
  let value: unknown;
  try {
    value = JSON.parse(json.toString("utf8"));
  } catch (cause) {
    throw damaged(where, "the description behind its data is not JSON", cause);
  }
  const result = v.safeParse(schema, value);
  if (!result.success) throw damaged(where, `the description behind its data is wrong: ${result.issues[0].message}`);
  return result.output;
}

/** Restore point names are the only part without a bound of its own. */
function fitJson(description: WalDescription): Buffer {
  let fitted = description;
  for (;;) {
    const json = Buffer.from(JSON.stringify(canonical(fitted)));
    if (json.length <= LARGEST_JSON) return json;
    const names = fitted.rp ?? [];
    if (names.length === 0) {
      throw new SoarError("WAL_INVALID", `unable to describe '${description.name}' in ${LARGEST_JSON} bytes`, {
        hint: "This is a limit of the bucket format; please report the segment size and name.",
      });
    }
    fitted = { ...fitted, rp: names.slice(0, -1), rpMore: (fitted.rpMore ?? 0) + 1 };
  }
}

/** One order of keys, so that equal descriptions are equal bytes. */
function canonical(d: WalDescription): WalDescription {
  return {
    v: d.v,
    name: d.name,
    size: d.size,
    sha256: d.sha256,
    members: d.members,
    memberSize: d.memberSize,
    ...(d.sysid === undefined ? {} : { sysid: d.sysid }),
    ...(d.tx === undefined ? {} : { tx: canonicalTransactions(d.tx) }),
    ...(d.open === undefined ? {} : { open: d.open }),
    ...(d.rp === undefined ? {} : { rp: d.rp }),
    ...(d.rpMore === undefined ? {} : { rpMore: d.rpMore }),
    ...(d.pc === undefined ? {} : { pc: d.pc }),
    ...(d.changes === undefined ? {} : { changes: d.changes }),
    ...(d.crc === undefined ? {} : { crc: d.crc }),
  };
}

function canonicalTransactions(tx: NonNullable<WalDescription["tx"]>): NonNullable<WalDescription["tx"]> {
  return {
    n: tx.n,
    ...(tx.first === undefined ? {} : { first: tx.first }),
    ...(tx.last === undefined ? {} : { last: tx.last }),
  };
}

function zstdFrame(payload: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(payload.length);
  return Buffer.concat([ZSTD_SKIPPABLE, length, payload]);
}

function gzipMember(payload: Buffer): Buffer {
  const field = Buffer.alloc(6);
  field.writeUInt16LE(payload.length + 4, 0);
  field.write("SR", 2, "latin1");
  field.writeUInt16LE(payload.length, 4);
  return Buffer.concat([GZIP_HEADER, field, payload, GZIP_END]);
}

function damaged(where: string, fact: string, cause?: unknown): SoarError {
  return new SoarError("REPOSITORY_DAMAGED", `'${where}' is damaged: ${fact}`, {
    cause,
    hint: "If the object was stored by another program, move it out of wal/; else restore an older version of it from the bucket.",
  });
}
