import fc from "fast-check";
import { expect, test } from "vitest";
import { inPieces, type MadeEntry, makeContent, makeTar, tarArbitrary } from "../../test/make-tar.ts";
import type { PlacedEntry } from "../table/row.ts";
import { memberize, type MemberizeOptions } from "./memberize.ts";

const SMALL = { chunkBytes: 4096, bundleBytes: 8192, largeFileBytes: 8192 };

async function cut(
  tar: Iterable<Buffer>,
  options: MemberizeOptions = SMALL,
): Promise<{ plains: Buffer[]; entries: PlacedEntry[]; perMember: PlacedEntry[][] }> {
  const plains: Buffer[] = [];
  const perMember: PlacedEntry[][] = [];
  for await (const member of memberize(tar, options)) {
    plains.push(Buffer.from(member.plain));
    perMember.push([...member.entries]);
  }
  return { plains, entries: perMember.flat(), perMember };
}

test("members of random archives join to the stream, and every entry's content is where it says", async () => {
  await fc.assert(
    fc.asyncProperty(
      tarArbitrary([4096, 8192, 12_288, 20_000]),
      fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1 }),
      async (made, pattern) => {
        const tar = makeTar(made);
        const { plains, entries, perMember } = await cut(inPieces(tar, pattern));
        expect(Buffer.concat(plains)).toEqual(tar);
        expect(plains.every(({ length }) => length > 0 && length <= SMALL.bundleBytes + SMALL.largeFileBytes)).toBe(
          true,
        );
        for (const [index, { member, offset, size }] of entries.entries()) {
          expect(Buffer.concat(plains.slice(member)).subarray(offset, offset + size)).toEqual(made[index]?.content);
        }
        // An entry is known no later than the member that its content begins in.
        for (const [index, known] of perMember.entries())
          expect(known.every(({ member }) => member >= index && member <= index + 1)).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

test("large files lie in members of their own, on a grid of file offsets, with nothing else in them", async () => {
  await fc.assert(
    fc.asyncProperty(tarArbitrary([8192, 8193, 30_000]), async (made) => {
      const { plains, entries } = await cut([makeTar(made)]);
      for (const [index, { member, offset, size }] of entries.entries()) {
        if (size < SMALL.largeFileBytes) continue;
        expect(offset).toBe(0);
        for (let at = 0; at < size; at += SMALL.chunkBytes) {
          expect(plains[member + at / SMALL.chunkBytes]).toEqual(
            made[index]?.content.subarray(at, at + SMALL.chunkBytes),
          );
        }
      }
    }),
    { numRuns: 100 },
  );
});

test("the members do not depend on the boundaries of the chunks", async () => {
  const tar = makeTar(
    Array.from({ length: 40 }, (_, index): MadeEntry => ({
      path: `base/1/${index}`,
      type: "File",
      content: makeContent(index, index * 400),
    })),
  );
  const whole = await cut([tar]);
  expect((await cut(inPieces(tar, [1, 511, 700]))).plains).toEqual(whole.plains);
});

test("a source may reuse its buffer for every chunk", async () => {
  const tar = makeTar([
    { path: "large", type: "File", content: makeContent(1, 50_000) },
    { path: "small", type: "File", content: makeContent(2, 500) },
  ]);
  function* reusing(): Generator<Buffer> {
    const buffer = Buffer.alloc(777);
    for (const piece of inPieces(tar, [777])) {
      piece.copy(buffer);
      yield buffer.subarray(0, piece.length);
      buffer.fill(0xff);
    }
  }
  expect(Buffer.concat((await cut(reusing())).plains)).toEqual(tar);
});

test("bundles fall into step again behind a file that grew, came or went", async () => {
  const files = Array.from({ length: 400 }, (_, index): MadeEntry => ({
    path: `base/16384/${index * 37}`,
    type: "File",
    content: makeContent(index, 300 + ((index * 91) % 1500)),
  }));
  const before = new Set((await cut([makeTar(files)])).plains.map((plain) => plain.toString("latin1")));
  const changed = files
    .filter((_, index) => index !== 50)
    .map((file, index) => (index === 200 ? { ...file, content: makeContent(9999, 2500) } : file));
  const after = (await cut([makeTar(changed)])).plains;
  const isNew = after.filter((plain) => !before.has(plain.toString("latin1")));
  expect(after.length).toBeGreaterThan(40);
  expect(isNew.length).toBeLessThan(12);
});
