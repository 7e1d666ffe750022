import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { COPY_MARK, requireNoCopy } from "./copy-mark.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "soar-copy-mark-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function dataDirectory(name: string): Promise<string> {
  const path = join(directory, name);
  await mkdir(path);
  return path;
}

test("a data directory without the mark is no copy, and neither is one that is not there", async () => {
  await writeFile(join(directory, "file"), "");
  for (const path of [await dataDirectory("original"), join(directory, "gone"), join(directory, "file")])
    await expect(requireNoCopy(path)).resolves.toBeUndefined();
});

test("a copy archives nothing until it is adopted", async () => {
  const copy = await dataDirectory("copy");
  await writeFile(join(copy, COPY_MARK), "");
  await expect(requireNoCopy(copy)).rejects.toMatchObject({
    code: "REPOSITORY_FOREIGN",
    hint: expect.stringContaining(`soar-restore adopt --data-dir '${copy}'`),
  });
});

test("a mark that cannot be looked at is not taken for none", async () => {
  const looped = await dataDirectory("looped");
  await symlink(COPY_MARK, join(looped, COPY_MARK));
  await expect(requireNoCopy(looped)).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
});
