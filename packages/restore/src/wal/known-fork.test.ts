import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findForkInDirectory } from "./known-fork.ts";

test("a directory that is not there tells of no fork, and one that cannot be listed is not taken for it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-known-fork-"));
  try {
    expect(await findForkInDirectory(join(directory, "pg_wal"), 1)).toBeUndefined();
    // A name that no file system takes: root may list everything else.
    const failed = findForkInDirectory(join(directory, "x".repeat(300)), 1);
    await expect(failed).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
