import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { OpenFiles } from "./open-files.ts";
import type { PlannedEntry } from "./planned-entry.ts";

const directory = mkdtempSync(join(tmpdir(), "soar-open-files-"));
afterAll(() => rmSync(directory, { recursive: true }));

const IMPOSSIBLE_MODE = 2 ** 40;

function planned(path: string, mode = 0o640): PlannedEntry {
  const entry = {
    path,
    type: "file",
    size: 3,
    mode,
    mtime: 1_700_000_000,
    uid: 0,
    gid: 0,
    link: "",
    member: 0,
    offset: 0,
  } as const;
  return { entry, path, attributes: { mode, mtime: entry.mtime, owner: undefined } };
}

async function write(open: OpenFiles, file: PlannedEntry): Promise<void> {
  const { handle } = await open.open(file);
  await handle.write("abc");
  await open.complete(file, 3);
}

function openFiles(): OpenFiles {
  const place = (path: string) => ({ path: join(directory, path), at: join(directory, path) });
  return new OpenFiles({ place, overwrite: false, sync: true });
}

test("files have their attributes when all are finished", async () => {
  const open = openFiles();
  const files = Array.from({ length: 20 }, (_, index) => planned(`file${index}`));
  await Promise.all(files.map(async (file) => await write(open, file)));
  await open.finish();
  for (const { path } of files) {
    expect(statSync(join(directory, path))).toMatchObject({ mode: 0o100640, mtimeMs: 1_700_000_000_000 });
    expect(readFileSync(join(directory, path), "utf8")).toBe("abc");
  }
  await open.close();
});

test("one that cannot be finished fails all of them, at the latest in the end", async () => {
  const open = openFiles();
  const outcome = async (): Promise<void> => {
    await write(open, planned("bad", IMPOSSIBLE_MODE));
    await write(open, planned("good"));
    await open.finish();
  };
  await expect(outcome()).rejects.toThrowError(/unable to write '.*bad'/);
  await open.close();
});
