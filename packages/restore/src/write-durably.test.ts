import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { writeDurably } from "./write-durably.ts";

const directory = mkdtempSync(join(tmpdir(), "soar-write-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("writes all pieces, readable for the owner only", async () => {
  const path = join(directory, "file");
  await writeDurably(path, [Buffer.from("ab"), Buffer.alloc(0), Buffer.from("c")]);
  expect(readFileSync(path, "utf8")).toBe("abc");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("names a path that cannot be written, a full file system, and leaves the source's failure as it is", async () => {
  await expect(writeDurably(join(directory, "none", "file"), [])).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
    message: expect.stringContaining("none/file'"),
  });
  await expect(writeDurably("/dev/full", [Buffer.from("x")])).rejects.toMatchObject({
    code: "DISK_FULL",
    message: "unable to write '/dev/full': the file system is full",
  });
  async function* failing(): AsyncGenerator<Buffer> {
    yield Buffer.from("x");
    throw new TypeError("source");
  }
  await expect(writeDurably(join(directory, "file"), failing())).rejects.toThrow(TypeError);
});
