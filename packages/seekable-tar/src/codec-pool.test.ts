import { storedDigestOf } from "./codec/sums.ts";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, openSync, readFileSync, rmSync, closeSync, ftruncateSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { writeFileSync } from "node:fs";
import { crc32c } from "@node-rs/crc32";
import { hasErrorCode } from "@soar/errors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CODECS, type Codec } from "./codec/codec.ts";
import { compressMemberSync, decompressMemberSync } from "./codec/member.ts";
import { type CodecPool, createCodecPool } from "./codec-pool.ts";

let pool: CodecPool;
let directory: string;
beforeAll(() => {
  pool = createCodecPool({ workers: 2 });
  directory = mkdtempSync(join(tmpdir(), "soar-pool-"));
});
afterAll(async () => {
  await pool.close();
  rmSync(directory, { recursive: true });
});

const sha256 = (bytes: Buffer): Buffer => createHash("sha256").update(bytes).digest();
const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  await work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.each(CODECS)("a %s task", (codec) => {
  test("compresses and hashes, and decompresses what it made", async () => {
    const plain = Buffer.concat([Buffer.alloc(70_000, "soar"), randomBytes(5000)]);
    const made = await pool.compress(codec, plain);
    expect(made.plain).toEqual(plain);
    expect(made.sha256).toEqual(sha256(plain));
    expect(made.storedDigest).toEqual(sha256(made.stored).subarray(0, 8));
    expect(made.crc32c).toBe(crc32c(plain));
    expect(decompressMemberSync(codec, made.stored, plain.length)).toEqual(plain);
    expect(await pool.decompress(made.stored, { codec, plainLength: plain.length, sha256: made.sha256 })).toEqual(
      plain,
    );
  });

  test("refuses a member with another digest or length", async () => {
    const stored = compressMemberSync(codec, Buffer.from("content"));
    expect(
      hasErrorCode(
        await failureOf(pool.decompress(stored, { codec, plainLength: 7, sha256: sha256(Buffer.from("other")) })),
        "FORMAT_INVALID",
      ),
    ).toBe(true);
    expect(hasErrorCode(await failureOf(pool.decompress(stored, { codec, plainLength: 8 })), "FORMAT_INVALID")).toBe(
      true,
    );
  });
});

test("moves memory instead of copying it only when told to", async () => {
  const kept = Buffer.from("a slice of a shared buffer");
  expect((await pool.digest(kept)).sha256).toEqual(sha256(kept));
  expect(kept.toString()).toBe("a slice of a shared buffer");
  const given = Buffer.alloc(100_000, 1);
  const { plain } = await pool.digest(given, { transfer: true });
  expect(given.length).toBe(0);
  expect(plain).toEqual(Buffer.alloc(100_000, 1));
});

test("moves memory of which the buffer is only a part", async () => {
  const memory = Buffer.allocUnsafeSlow(50_000).fill(7);
  const { plain, sha256: digest } = await pool.compress("zstd", memory.subarray(0, 20_000), { transfer: true });
  expect(digest).toEqual(sha256(Buffer.alloc(20_000, 7)));
  expect(plain.length).toBe(20_000);
  expect(plain.buffer.byteLength).toBe(50_000);
});

test("does many tasks at once", async () => {
  const inputs = Array.from({ length: 100 }, (_, index) => Buffer.alloc(1000 + index, String(index)));
  const made = await Promise.all(inputs.map((plain) => pool.compress("gzip", plain)));
  expect(made.map(({ stored }, index) => decompressMemberSync("gzip", stored, 1000 + index))).toEqual(inputs);
});

test("writes runs of a member to files, leaving out blocks of zeros", async () => {
  const path = join(directory, "sparse");
  const plain = Buffer.alloc(1 << 20);
  plain.write("begin", 0);
  plain.write("middle", 600_000);
  const fd = openSync(path, "wx");
  ftruncateSync(fd, plain.length + 100);
  const stored = compressMemberSync("zstd", plain);
  const write = { fd, path, plainOffset: 0, length: plain.length, filePosition: 100, sparse: true };
  const member = {
    codec: "zstd",
    storedOffset: 0,
    storedLength: stored.length,
    plainLength: plain.length,
    storedDigest: storedDigestOf(stored),
    creations: [],
  } as const;
  expect(await pool.extract(stored, [{ ...member, writes: [write] }])).toBeUndefined();
  const after = readFileSync(path);
  expect(after.subarray(100)).toEqual(plain);
  expect(statSync(path).blocks * 512).toBeLessThan(plain.length / 2);
  await pool.extract(stored, [{ ...member, writes: [{ ...write, sparse: false }] }]);
  expect(readFileSync(path)).toEqual(after);
  closeSync(fd);
});

test("tells whether a part of a file has a digest", async () => {
  const path = join(directory, "matches");
  writeFileSync(path, "0123456789");
  const fd = openSync(path, "r");
  expect(await pool.matches({ fd, position: 2, length: 3 }, sha256(Buffer.from("234")))).toBe(true);
  expect(await pool.matches({ fd, position: 3, length: 3 }, sha256(Buffer.from("234")))).toBe(false);
  expect(await pool.matches({ fd, position: 8, length: 3 }, sha256(Buffer.from("89")))).toBe(false);
  closeSync(fd);
});

test("creates files from a member with mode and time, and refuses or replaces what is there", async () => {
  const stored = compressMemberSync("gzip", Buffer.from("first-second"));
  const creation = {
    path: join(directory, "created"),
    at: join(directory, "created"),
    plainOffset: 6,
    length: 6,
    attributes: { mode: 0o640, mtime: 1_700_000_000, owner: undefined },
    replace: false,
  };
  const member = {
    codec: "gzip",
    storedOffset: 0,
    storedLength: stored.length,
    plainLength: 12,
    storedDigest: storedDigestOf(stored),
    writes: [],
  } as const;
  const extract = async (replace: boolean) =>
    await pool.extract(stored, [{ ...member, creations: [{ ...creation, replace }] }]);
  await extract(false);
  expect(readFileSync(creation.path, "utf8")).toBe("second");
  expect(statSync(creation.path)).toMatchObject({ mode: 0o100640, mtimeMs: 1_700_000_000_000 });
  expect(await failureOf(extract(false))).toMatchObject({
    code: "FILE_UNWRITABLE",
    hint: "Extract to an empty directory, or allow existing files to be overwritten.",
  });
  await extract(true);
  await pool.create([{ ...creation, length: 0, replace: true }]);
  expect(readFileSync(creation.path, "utf8")).toBe("");
});

test("names the file that cannot be written", async () => {
  const stored = compressMemberSync("none", Buffer.from("x"));
  const fd = openSync(join(directory, "matches"), "r");
  const write = { fd, path: "/data/base/1", plainOffset: 0, length: 1, filePosition: 0, sparse: false };
  const member = {
    codec: "none",
    storedOffset: 0,
    storedLength: 1,
    plainLength: 1,
    storedDigest: storedDigestOf(stored),
    writes: [write],
    creations: [],
  } as const;
  const failure = await failureOf(pool.extract(stored, [member]));
  expect(failure).toMatchObject({
    code: "FILE_UNWRITABLE",
    message: expect.stringContaining("unable to write '/data/base/1': EBADF"),
  });
  closeSync(fd);
});

const spoiled = (codec: Codec, at: number): Buffer => {
  const stored = compressMemberSync(codec, Buffer.from("bad"));
  stored[stored.length + at] = (stored.at(at) ?? 0) ^ 1;
  return stored;
};

test.each<[string, { codec: Codec; stored: Buffer; recorded: Buffer }, string]>([
  [
    "whose stored bytes are others",
    { codec: "none", stored: Buffer.from("bad"), recorded: Buffer.from("bat") },
    "the SHA-256 of its stored bytes",
  ],
  // As of what a decompressor or memory did to the plain bytes: the checksum of the compressed stream is of others.
  [
    "whose plain bytes are others (zstd)",
    { codec: "zstd", stored: spoiled("zstd", -1), recorded: spoiled("zstd", -1) },
    "checksum",
  ],
  [
    "whose plain bytes are others (gzip)",
    { codec: "gzip", stored: spoiled("gzip", -8), recorded: spoiled("gzip", -8) },
    "checksum",
  ],
])("writes the members of a range up to one %s, names that, and writes no byte of it", async (_, bad, why) => {
  const path = join(directory, "untouched");
  writeFileSync(path, "oldoldold");
  const fd = openSync(path, "r+");
  const good = { codec: "none", stored: Buffer.from("new"), recorded: Buffer.from("new") } as const;
  const parts = [good, bad, good];
  const members = parts.map(({ codec, stored, recorded }, index) => ({
    codec,
    storedOffset: parts.slice(0, index).reduce((sum, part) => sum + part.stored.length, 0),
    storedLength: stored.length,
    plainLength: 3,
    storedDigest: storedDigestOf(recorded),
    creations: [],
    writes: [{ fd, path, plainOffset: 0, length: 3, filePosition: index * 3, sparse: false }],
  }));
  const range = Buffer.concat(parts.map(({ stored }) => stored));
  const before = Buffer.from(range);
  expect(await pool.extract(range, members)).toMatchObject({
    index: 1,
    message: expect.stringContaining(why) as string,
  });
  expect(readFileSync(path, "utf8")).toBe("newoldold");
  expect(range).toEqual(before);
  closeSync(fd);
});

test("a task that has not begun is dropped when its signal aborts", async () => {
  const controller = new AbortController();
  const tasks = Array.from({ length: 20 }, () =>
    pool.compress("gzip", Buffer.alloc(300_000, "abort"), { level: 9, signal: controller.signal }),
  );
  const outcomes = Promise.allSettled(tasks);
  controller.abort();
  const codes = (await outcomes).map((outcome) =>
    outcome.status === "rejected" && hasErrorCode(outcome.reason, "ABORTED") ? "ABORTED" : outcome.status,
  );
  expect(new Set(codes)).toEqual(new Set(["fulfilled", "ABORTED"]));
  expect(hasErrorCode(await failureOf(pool.digest(Buffer.from("x"), { signal: controller.signal })), "ABORTED")).toBe(
    true,
  );
});

test("closing ends tasks with ABORTED and refuses new ones", async () => {
  const own = createCodecPool({ workers: 1 });
  const outcomes = Promise.all(
    Array.from({ length: 5 }, () => failureOf(own.compress("gzip", randomBytes(2_000_000)))),
  );
  await own.close();
  expect((await outcomes).map((failure) => hasErrorCode(failure, "ABORTED"))).toEqual(Array(5).fill(true));
  expect(hasErrorCode(await failureOf(own.digest(Buffer.from("x"))), "ABORTED")).toBe(true);
});

test("a worker that dies fails its own tasks and is replaced", async () => {
  const script = join(directory, "dying-worker.mjs");
  writeFileSync(
    script,
    `import { parentPort } from "node:worker_threads";
     parentPort.on("message", ({ id, task }) => {
       if (task.plain.length === 3) process.exit(3);
       if (task.plain.length === 4) throw new Error("out of luck");
       parentPort.postMessage({ id, result: { plain: task.plain, sha256: task.plain } });
     });`,
  );
  const own = createCodecPool({ workers: 1, workerUrl: pathToFileURL(script) });
  await expect(own.digest(Buffer.from("123"))).rejects.toThrow("a worker thread died: it exited with status 3");
  await expect(own.digest(Buffer.from("1234"))).rejects.toThrow("a worker thread died: out of luck");
  expect((await own.digest(Buffer.from("12345"))).sha256.toString()).toBe("12345");
  await own.close();
});

test("a worker whose code is missing fails every task instead of hanging", async () => {
  const own = createCodecPool({ workers: 1, workerUrl: pathToFileURL(join(directory, "absent.mjs")) });
  await expect(own.digest(Buffer.from("1"))).rejects.toThrow("a worker thread died");
  await own.close();
});
