// @module-tag needs-zlib-sync
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inPieces, makeTar, tarArbitrary } from "../../test/make-tar.ts";
import { archiveInto, MemoryStore } from "../../test/memory-store.ts";
import type { ReadReply, ReadRequest } from "../../test/zlib-sync-reader.fixture.ts";
import { type CodecPool, createCodecPool } from "../codec-pool.ts";
import { compressMemberSync, decompressMemberSync } from "./member.ts";

/**
 * `zlib-sync` carries a zlib of its own, so it is a second opinion on what we write: node:zlib, which wrote it, could be
 * wrong twice in the same way. Why it reads in tests only is told in docs/decisions/0005.
 */
let reader: ChildProcess;
let ended: Promise<unknown[]>;

/** An addon that is there and does not load, as one for another Node, fails the suite. */
beforeAll(async () => {
  reader = fork(new URL("../../test/zlib-sync-reader.fixture.ts", import.meta.url), {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  ended = once(reader, "exit");
  const [event] = (await Promise.race([once(reader, "message"), ended])) as [unknown];
  if (event !== "ready")
    throw new Error("zlib-sync does not load: run `node --conditions=soar-source tooling/run/src/main.ts zlib-sync`");
});
afterAll(() => reader.kill("SIGKILL"));

async function read(stored: Buffer, pieceBytes: number): Promise<ReadReply> {
  reader.send({ stored, pieceBytes } satisfies ReadRequest);
  const [reply] = (await Promise.race([once(reader, "message"), ended])) as [ReadReply | number | null];
  if (reply === null || typeof reply === "number") throw new Error("zlib-sync crashed");
  return reply;
}

describe("zlib-sync reads what we write with gzip:", () => {
  test("a member of any bytes, in pieces of any size", async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.tuple(fc.nat(200_000), fc.nat(255)).map(([length, byte]) => Buffer.alloc(length, byte)),
    );
    const level = fc.integer({ min: 1, max: 9 });
    await fc.assert(
      fc.asyncProperty(bytes, level, fc.integer({ min: 1, max: 5000 }), async (content, chosen, pieceBytes) => {
        const plain = Buffer.from(content);
        const stored = compressMemberSync("gzip", plain, { level: chosen });
        const reply = await read(stored, pieceBytes);
        expect(Buffer.from(reply.plain).equals(plain)).toBe(true);
        expect(reply).toMatchObject({ members: 1, fact: undefined });
        expect(decompressMemberSync("gzip", stored, plain.length)).toEqual(plain);
      }),
      { numRuns: 150 },
    );
  });

  test("and refuses damage that we refuse", async () => {
    const plain = Buffer.from("The tail of a segment is worth more than its head. ".repeat(20));
    const stored = compressMemberSync("gzip", plain);
    for (let at = 10; at < stored.length; at++) {
      const damaged = Buffer.from(stored);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      expect((await read(damaged, 64)).fact, `byte ${at}`).toBeDefined();
      expect(() => decompressMemberSync("gzip", damaged, plain.length)).toThrow("unable to read a gzip member");
    }
    for (let length = 1; length < stored.length; length++)
      expect((await read(stored.subarray(0, length), 64)).fact, `${length} bytes`).toBe("the last member does not end");
  });
});

describe("a whole archive", () => {
  let pool: CodecPool;
  beforeAll(() => {
    pool = createCodecPool({ workers: 2 });
  });
  afterAll(() => pool.close());

  test("is the same tar to zlib-sync, across the limits of its members, and to gunzip", async () => {
    await fc.assert(
      fc.asyncProperty(tarArbitrary([4096, 8192]), async (made) => {
        const tar = makeTar(made);
        const store = new MemoryStore();
        const { table } = await archiveInto(
          store,
          [{ name: "data", objectKey: "data.tar", source: inPieces(tar, [3000]) }],
          { codec: "gzip", pool, chunkBytes: 4096, bundleBytes: 8192, largeFileBytes: 8192, frameBytes: 500 },
        );
        const stored = store.bytes("data.tar");
        const reply = await read(stored, 1);
        expect(Buffer.from(reply.plain)).toEqual(tar);
        expect(reply).toMatchObject({ members: table.archives[0]?.members.length, fact: undefined });
        expect(execFileSync("gunzip", ["-c"], { input: stored, maxBuffer: 2 ** 28 })).toEqual(tar);
      }),
      { numRuns: 10 },
    );
  });
});
