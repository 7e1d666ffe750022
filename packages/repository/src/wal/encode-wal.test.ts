import { randomBytes } from "node:crypto";
import { compressMemberSync } from "@soar/seekable-tar";
import { expect, test } from "vitest";
import { segmentName, sourceOf } from "../../test/wal-samples.ts";
import { encodeWalObject, joinWalObject } from "./encode-wal.ts";
import { parseWalDescription } from "./wal-description.ts";

const SIZE = 1024 * 1024;

test.each(["zstd", "gzip"] as const)("what %s cannot make smaller is not copied to be described", (codec) => {
  const file = sourceOf(segmentName(7), randomBytes(SIZE), { sysid: "7000000000000000001" });
  const member = compressMemberSync(codec, randomBytes(SIZE), { level: 1 });
  const before = Buffer.from(member);
  const object = joinWalObject(file, codec, member);
  expect(object.buffer).toBe(member.buffer);
  expect(object.subarray(0, before.length).equals(before)).toBe(true);
  const { description, length } = parseWalDescription(object, codec, "here");
  expect(description).toMatchObject({ name: file.name, sha256: file.sha256, members: [before.length], size: SIZE });
  expect(length).toBe(object.length - before.length);
});

test("a file that is read in pieces is one member", async () => {
  const bytes = randomBytes(3000);
  const file = {
    ...sourceOf(segmentName(7), bytes),
    async *open() {
      yield await Promise.resolve(bytes.subarray(0, 1000));
      yield bytes.subarray(1000);
    },
  };
  const object = await encodeWalObject(file, "zstd", {});
  expect(parseWalDescription(object, "zstd", "here").description.members).toHaveLength(1);
});

test("a member without room of its own behind it is copied, and what lies there is left alone", () => {
  const file = sourceOf(segmentName(7), Buffer.from("x"));
  const pool = Buffer.from("0123456789", "latin1");
  const member = pool.subarray(0, 5);
  const object = joinWalObject(file, "zstd", member);
  expect(object.subarray(0, 5).toString("latin1")).toBe("01234");
  expect(pool.toString("latin1")).toBe("0123456789");
  const full = Buffer.alloc(100_000, "y");
  expect(joinWalObject(file, "zstd", full).buffer).not.toBe(full.buffer);
});
