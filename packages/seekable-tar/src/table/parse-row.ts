import { SoarError } from "@soar/errors";
import { type Codec, CODECS, MEMBER_LIMIT_BYTES, STORED_MEMBER_LIMIT_BYTES } from "../codec/codec.ts";
import { invalid } from "../codec/damage.ts";
import { STORED_DIGEST_BYTES } from "../codec/sums.ts";
import type { TarEntryType } from "../tar/tar-entry.ts";
import { TABLE_FORMAT, TABLE_VERSION, type TableRow } from "./row.ts";

const WHAT = "a line of the seek table";
const SHA256_BYTES = 32;
/** What a digest is read into, longer than any. */
const DIGEST_TEXT = Buffer.alloc(64);
const ENTRY_TYPES: readonly TarEntryType[] = ["file", "directory", "symlink", "link", "special"];

/**
 * Reads one line without its line feed. Throws `FORMAT_INVALID` for everything that `formatRow` does not write, and
 * `REPOSITORY_VERSION` for a header of another version or kind of digest.
 */
export function parseRow(line: string): TableRow {
  const json = parseJson(line);
  if (!Array.isArray(json)) return parseTableHeader(json);
  const fields = new Fields(json);
  const row = parseFields(fields);
  fields.end();
  return row;
}

function parseFields(fields: Fields): TableRow {
  const tag = fields.text();
  switch (tag) {
    case "m":
      return {
        kind: "member",
        object: fields.whole(),
        offset: fields.whole(),
        storedLength: fields.whole(STORED_MEMBER_LIMIT_BYTES),
        plainLength: fields.whole(MEMBER_LIMIT_BYTES),
        sha256: fields.digest(SHA256_BYTES),
        crc32c: fields.whole(0xffff_ffff),
        storedDigest: fields.digest(STORED_DIGEST_BYTES),
      };
    case "e":
      return { kind: "entry", entry: parseEntry(fields) };
    case "o":
      return { kind: "object", key: fields.text(), codec: fields.oneOf<Codec>(CODECS) };
    case "a":
      return { kind: "archive", name: fields.text() };
    case "z":
      return { kind: "archive-end", members: fields.whole(), entries: fields.whole(), plainBytes: fields.whole() };
    case "end":
      return { kind: "end", archives: fields.whole() };
    default:
      throw invalid(WHAT, `'${tag.slice(0, 20)}' is no kind of line`);
  }
}

function parseEntry(fields: Fields): (TableRow & { kind: "entry" })["entry"] {
  return {
    path: fields.text(),
    type: fields.oneOf(ENTRY_TYPES),
    size: fields.whole(),
    mode: fields.whole(0o7777),
    mtime: fields.number(),
    uid: fields.whole(),
    gid: fields.whole(),
    link: fields.text(),
    member: fields.whole(),
    offset: fields.whole(MEMBER_LIMIT_BYTES),
  };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw invalid(WHAT, "it is not JSON", { cause });
  }
}

function parseTableHeader(json: unknown): TableRow {
  if (typeof json !== "object" || json === null || !("format" in json) || json.format !== TABLE_FORMAT)
    throw invalid(WHAT, "it is neither a row nor the header");
  const { version, digest, chunkBytes }: Record<string, unknown> = { ...json };
  if (version !== TABLE_VERSION || digest !== "sha256") {
    throw new SoarError(
      "REPOSITORY_VERSION",
      `unable to read the seek table: it has version ${String(version)} and ${String(digest)} digests`,
      {
        hint: "Use a version at least as new as the one that wrote it.",
      },
    );
  }
  return { kind: "header", chunkBytes: new Fields([chunkBytes]).whole() };
}

/** Takes the fields of a row one after the other and checks each. */
class Fields {
  readonly #fields: readonly unknown[];
  #at = 0;

  constructor(fields: readonly unknown[]) {
    this.#fields = fields;
  }

  text(): string {
    const value = this.#fields[this.#at++];
    return typeof value === "string" ? value : this.#wrong("a text");
  }

  number(): number {
    const value = this.#fields[this.#at++];
    return typeof value === "number" && Number.isFinite(value) ? value : this.#wrong("a number");
  }

  whole(most = Number.MAX_SAFE_INTEGER): number {
    const value = this.#fields[this.#at++];
    return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most
      ? value
      : this.#wrong(`a whole number up to ${most}`);
  }

  oneOf<Value extends string>(values: readonly Value[]): Value {
    const value = this.#fields[this.#at++];
    return values.find((each) => each === value) ?? this.#wrong(`one of ${values.join(", ")}`);
  }

  digest(length: number): Buffer {
    const text = this.text();
    const isDigest =
      text.length <= DIGEST_TEXT.length &&
      DIGEST_TEXT.write(text, "base64") === length &&
      DIGEST_TEXT.toString("base64", 0, length) === text;
    if (!isDigest) return this.#wrong(`${length} bytes of a SHA-256 in base64`);
    // So small, it lies in the heap, which gives it back with all other garbage; not so a part of Node's pool of small buffers.
    const bytes = Buffer.alloc(length);
    bytes.set(DIGEST_TEXT.subarray(0, length));
    return bytes;
  }

  end(): void {
    if (this.#at !== this.#fields.length)
      throw invalid(WHAT, `it has ${this.#fields.length} fields, expected ${this.#at}`);
  }

  #wrong(expected: string): never {
    throw invalid(WHAT, `field ${this.#at} is not ${expected}`);
  }
}
