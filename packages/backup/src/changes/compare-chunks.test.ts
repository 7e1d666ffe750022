import { createHash } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { ChangedBlocks } from "@soar/pg-tools/changed-blocks";
import { createCodecPool, DigestIndex, type CodecPool } from "@soar/seekable-tar";
import { createMemoryStore } from "@soar/storage";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { BaseChunks } from "./base-chunks.ts";
import { type CompareOptions, compareChunks } from "./compare-chunks.ts";
import { UnchangedChunks } from "./unchanged-chunks.ts";

const MIB = 2 ** 20;
const CHUNKS = 12;
const control = { blockSize: 8192, blocksPerRelationFile: 131_072, dataChecksumVersion: 0 };
const content = Buffer.alloc(CHUNKS * MIB, 7);
let directory: string;
let pool: CodecPool;
let opened: number;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-compare-"));
  writeFileSync(join(directory, "16384"), content);
  pool = createCodecPool({ workers: 2 });
});
beforeEach(() => {
  opened = 0;
});
afterAll(async () => {
  await pool.close();
  rmSync(directory, { recursive: true });
});

function unchanged(): UnchangedChunks {
  const chunks = new BaseChunks(new DigestIndex());
  chunks.beginArchive("base");
  const sha256 = createHash("sha256").update(content.subarray(0, MIB)).digest();
  const common = {
    object: "base/2025-01-01/backup.tar.zst",
    codec: "zstd",
    storedLength: 10,
    plainLength: MIB,
  } as const;
  for (let offset = 0; offset < CHUNKS; offset++)
    chunks.addMember({ ...common, offset, sha256, crc32c: 1, storedDigest: sha256.subarray(0, 8) });
  const rights = { mode: 0o600, mtime: 0, uid: 0, gid: 0, link: "" };
  chunks.addEntry({ path: "base/5/16384", type: "file", size: CHUNKS * MIB, member: 0, offset: 0, ...rights });
  return new UnchangedChunks(chunks, new ChangedBlocks(), control);
}

const options = (pace: CompareOptions["pace"]): CompareOptions => ({
  control,
  startLsn: 1n,
  pool,
  share: 1,
  pace,
  openFile() {
    opened += 1;
    const fd = openSync(join(directory, "16384"), "r");
    return { fd, close: () => closeSync(fd) };
  },
});

test("a comparison reads no byte that the rate limit has not let through", async () => {
  let allowed = 0;
  const pace = async (bytes: number): Promise<void> => {
    expect(opened * MIB).toBeLessThanOrEqual(allowed);
    await new Promise((resolve) => setImmediate(resolve));
    allowed += bytes;
  };
  const compared = await compareChunks(createMemoryStore(), unchanged(), options(pace));
  expect(compared).toEqual({ compared: CHUNKS, difference: undefined });
  expect(allowed).toBe(CHUNKS * MIB);
});

test("a backup that is stopped while its comparison waits for the rate limit ends there", async () => {
  const pace = (): Promise<void> => Promise.reject(new SoarError("ABORTED", "stopped"));
  await expect(compareChunks(createMemoryStore(), unchanged(), options(pace))).rejects.toMatchObject({
    code: "ABORTED",
  });
  expect(opened).toBe(0);
});
