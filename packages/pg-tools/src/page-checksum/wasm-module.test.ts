import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import openWabt from "wabt";
import { pageChecksum } from "./page-checksum.ts";
import { createPageVerifier } from "./page-verifier.ts";
import { wasmModule } from "./wasm-module.ts";

test("the module is what its source compiles to", async () => {
  const wabt = await openWabt();
  const source = readFileSync(new URL("page-checksum.wat", import.meta.url), "utf8");
  const { buffer } = wabt.parseWat("page-checksum.wat", source, { simd: true }).toBinary({});
  // After a change of the source, this is what belongs into `wasm-module.ts`.
  expect(Buffer.from(wasmModule()).toString("base64")).toBe(Buffer.from(buffer).toString("base64"));
});

const BLOCK_SIZES = [1024, 2048, 4096, 8192, 16_384, 32_768] as const;
const blocks = fc.oneof(fc.nat(131_072), fc.constantFrom(0, 2 ** 31 - 1, 2 ** 32 - 2));
/** Bytes of a page from a few of them, so that a page of 32 KiB costs no more than one of 1 KiB. */
const pageOf = (size: number, seed: Uint8Array): Buffer => {
  const page = Buffer.alloc(size, seed);
  for (let at = 0; at < size; at += 128) page.writeUInt32LE(at * 0x9e37, at);
  return page;
};
const seeds = fc.uint8Array({ minLength: 7, maxLength: 61 });

test("every page has the checksum that the plain calculation gives, in any place of the memory", () => {
  const verifier = createPageVerifier(4 * 32_768);
  fc.assert(
    fc.property(fc.constantFrom(...BLOCK_SIZES), seeds, blocks, fc.nat(3), (size, seed, block, before) => {
      const page = pageOf(size, seed);
      page.writeUInt16LE(1, 14);
      const expected = pageChecksum(new DataView(page.buffer, page.byteOffset, size), 0, size, block);
      const offset = before * size;
      page.copy(verifier.memory, offset);
      const pages = { offset, from: 0, count: 1, blockSize: size, firstBlock: block, changedBefore: undefined };
      const found = page.readUInt16LE(8);
      expect(verifier.firstDamaged(pages)).toEqual(found === expected ? undefined : { index: 0, found, expected });
      verifier.memory.writeUInt16LE(expected, offset + 8);
      expect(verifier.firstDamaged(pages)).toBeUndefined();
      expect(verifier.memory.subarray(offset, offset + 8)).toEqual(page.subarray(0, 8));
    }),
  );
});

test("pages of the start position and later are not judged, nor are pages that were never used", () => {
  const verifier = createPageVerifier(4 * 8192);
  const pages = { offset: 0, from: 0, count: 4, blockSize: 8192, firstBlock: 0 };
  const lsns = fc.bigInt(0n, 2n ** 64n - 1n);
  fc.assert(
    fc.property(fc.array(lsns, { minLength: 4, maxLength: 4 }), lsns, fc.nat(3), (of, start, unused) => {
      for (const [index, lsn] of of.entries()) {
        const page = verifier.memory.subarray(index * 8192, (index + 1) * 8192);
        page.fill(index === unused ? 0 : 0x33);
        if (index === unused) continue;
        page.writeUInt32LE(Number(lsn >> 32n), 0);
        page.writeUInt32LE(Number(lsn & 0xffff_ffffn), 4);
      }
      const wrong: number[] = [];
      for (let from = 0; ;) {
        const found = verifier.firstDamaged({ ...pages, from, changedBefore: start });
        if (found === undefined) break;
        wrong.push(found.index);
        from = found.index + 1;
      }
      expect(wrong).toEqual([0, 1, 2, 3].filter((index) => index !== unused && (of[index] ?? 0n) < start));
    }),
  );
  verifier.memory.fill(0);
  verifier.memory[8192 + 4000] = 1;
  expect(verifier.firstDamaged({ ...pages, changedBefore: undefined })?.index).toBe(1);
});
