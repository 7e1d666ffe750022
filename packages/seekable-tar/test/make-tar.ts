import { createHash } from "node:crypto";
import fc from "fast-check";
import { Header } from "tar/header";
import { Pax } from "tar/pax";

export interface MadeEntry {
  readonly path: string;
  readonly type: "File" | "Directory" | "SymbolicLink";
  readonly content: Buffer;
  readonly link?: string;
  readonly mode?: number;
  readonly mtime?: number;
}

/** A tar stream with these entries, made by the `tar` package; long names and large values go to pax headers. */
export function makeTar(entries: readonly MadeEntry[], trailingBytes = 1024): Buffer {
  return Buffer.concat([...entries.flatMap(blocksOf), Buffer.alloc(trailingBytes)]);
}

function blocksOf({ path, type, content, link = "", mode = 0o644, mtime = 1_700_000_000 }: MadeEntry): Buffer[] {
  const fields = {
    path: type === "Directory" ? `${path}/` : path,
    type,
    size: content.length,
    mode,
    mtime: new Date(mtime * 1000),
    uid: 1000,
    gid: 1001,
    linkpath: link,
  };
  const header = new Header(fields);
  const block = Buffer.alloc(512);
  const pax = header.encode(block)
    ? new Pax({ path: fields.path, linkpath: link, mtime: fields.mtime }).encode()
    : Buffer.alloc(0);
  return [pax, block, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}

/** Content that compresses like data and is different for every seed. */
export function makeContent(seed: number, length: number): Buffer {
  const block = createHash("sha512").update(String(seed)).digest();
  const content = Buffer.alloc(length, block);
  for (let at = 0; at + 8 <= length; at += 512) content.writeDoubleLE(seed * at, at);
  return content;
}

/** The same bytes in pieces whose lengths follow the pattern, over and over. */
export function* inPieces(bytes: Buffer, pattern: readonly number[]): Generator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = Math.max(1, pattern[turn % pattern.length] ?? 1);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

const pathArbitrary = fc
  .array(
    fc
      .stringMatching(/^[a-zA-Z0-9_äß€ .-]{1,30}$/)
      .filter((part) => part.trim() !== "" && part !== "." && part !== ".."),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.join("/"));

/** Random archives of files around the sizes given, directories and links, without two entries of one path. */
export function tarArbitrary(sizes: readonly number[]): fc.Arbitrary<MadeEntry[]> {
  const size = fc.oneof(
    fc.nat(3000),
    fc.constantFrom(...sizes),
    fc.constantFrom(...sizes).chain((base) => fc.integer({ min: Math.max(0, base - 2), max: base + 2 })),
  );
  const entry = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        path: pathArbitrary,
        type: fc.constant("File" as const),
        content: fc.tuple(fc.nat(20), size).map(([seed, length]) => makeContent(seed, length)),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        path: pathArbitrary,
        type: fc.constant("Directory" as const),
        content: fc.constant(Buffer.alloc(0)),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        path: pathArbitrary,
        type: fc.constant("SymbolicLink" as const),
        content: fc.constant(Buffer.alloc(0)),
        link: pathArbitrary,
      }),
    },
  );
  return fc.uniqueArray(entry, { selector: ({ path }) => path, maxLength: 12 });
}
