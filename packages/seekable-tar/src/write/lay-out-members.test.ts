import fc from "fast-check";
import { expect, test } from "vitest";
import { makeContent, makeTar } from "../../test/make-tar.ts";
import type { WritableEntry } from "../tar/format-header.ts";
import { TarScanner } from "../tar/tar-scanner.ts";
import { type EndOfBundle, layOutMembers, type ListedEntry, type MemberLayout } from "./lay-out-members.ts";
import { memberize } from "./memberize.ts";

const CUTTING = { chunkBytes: 4096, bundleBytes: 8192, largeFileBytes: 2048 };

function fill(layout: MemberLayout<Buffer>): Buffer {
  if (layout.kind === "chunk") return layout.source.subarray(layout.position, layout.position + layout.plainBytes);
  return Buffer.concat(
    layout.parts.flatMap(({ structure, source, padding = 0 }) =>
      source === undefined ? [structure] : [structure, source, Buffer.alloc(padding)],
    ),
  );
}

async function laidOut(listing: readonly (ListedEntry<Buffer> | EndOfBundle)[]): Promise<MemberLayout<Buffer>[]> {
  return await Array.fromAsync(layOutMembers(listing, CUTTING));
}

const listings = fc
  .uniqueArray(
    fc.record({
      path: fc.stringMatching(/^[a-z]{1,12}(?:\/[a-z]{1,12})?$/),
      size: fc.oneof(fc.nat(700), fc.constantFrom(0, 512, 2047, 2048, 4096, 4097, 9000)),
      isDirectory: fc.boolean(),
    }),
    { selector: ({ path }) => path, maxLength: 30 },
  )
  .map((all) =>
    all.map(({ path, size, isDirectory }, seed): ListedEntry<Buffer> => {
      const entry = { path, mode: 0o600, mtime: 1_700_000_000, uid: 1000, gid: 1001, link: "" };
      if (isDirectory) return { entry: { ...entry, type: "directory", size: 0 } };
      return { entry: { ...entry, type: "file", size }, source: makeContent(seed, size) };
    }),
  );

test("the members are those that a stream of the same entries is cut into", async () => {
  await fc.assert(
    fc.asyncProperty(listings, async (listing) => {
      const members = (await laidOut(listing)).map(fill);
      const streamed = await Array.fromAsync(memberize([Buffer.concat(members)], CUTTING));
      expect(members.map((member) => member.length)).toEqual(streamed.map(({ plain }) => plain.length));
      expect(Buffer.concat(members)).toEqual(Buffer.concat(streamed.map(({ plain }) => plain)));
      const scanner = new TarScanner();
      const pieces = [...scanner.scan(Buffer.concat(members))];
      scanner.finish();
      expect(pieces.flatMap((piece) => (piece.kind === "entry" ? [piece.entry] : []))).toEqual(
        listing.map(({ entry }): WritableEntry => entry),
      );
    }),
  );
});

test("chunks of a large file are those of any other archive with it", async () => {
  const content = makeContent(1, 10_000);
  const entry = { path: "big", type: "file", size: 10_000, mode: 0o600, mtime: 1, uid: 0, gid: 0, link: "" } as const;
  const chunks = (await laidOut([{ entry, source: content }])).filter(({ kind }) => kind === "chunk").map(fill);
  const other = makeTar([
    { path: "before", type: "File", content: makeContent(2, 1234) },
    { path: "big", type: "File", content },
  ]);
  const streamed = (await Array.fromAsync(memberize([other], CUTTING))).map(({ plain }) => plain);
  expect(chunks.map((chunk) => chunk.length)).toEqual([4096, 4096, 1808]);
  for (const chunk of chunks) expect(streamed.some((plain) => plain.equals(chunk))).toBe(true);
});

test("what was listed before the end of a bundle is in members before what comes behind it", async () => {
  const entry = { type: "file", size: 3, mode: 0o600, mtime: 1, uid: 0, gid: 0, link: "" } as const;
  const layouts = await laidOut([
    { entry: { ...entry, path: "first" }, source: Buffer.from("one") },
    "end-of-bundle",
    "end-of-bundle",
    { entry: { ...entry, path: "second" }, source: Buffer.from("two") },
  ]);
  const paths = layouts.map((layout) =>
    layout.kind === "bundle" ? layout.parts.flatMap((part) => (part.entry === undefined ? [] : [part.entry.path])) : [],
  );
  expect(paths).toEqual([["first"], ["second"]]);
});
