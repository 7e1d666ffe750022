import { expect, test } from "vitest";
import { oneWayToWrite } from "./one-way-to-write.ts";
import { sampleWorkspace } from "./sample-workspace.fixture.ts";

const messages = (path: string, code: string): string[] =>
  oneWayToWrite.find(sampleWorkspace({ [path]: code })).map(({ message }) => message);

test.each([
  ['import { open, rename } from "node:fs/promises";', "'rename' of the file system"],
  ['import { renameSync as move, statSync } from "node:fs";', "'renameSync' of the file system"],
  ['import { link } from "node:fs/promises";', "'link' of the file system"],
  ['import * as fs from "node:fs";', "'*' of the file system"],
  ['import fs from "node:fs/promises";', "'default' of the file system"],
  ['import { rm } from "node:fs/promises";', "'rm' of the file system: use removeFile"],
  ['import { lchownSync, statSync } from "node:fs";', "'lchownSync' of the file system"],
  ['import { mkdtemp } from "node:fs/promises";', "makeTemporaryDirectory"],
  ['export const isGone = (error: { code: string }) => error.code === "ENOENT";', "'ENOENT': use readIfPresent"],
  ["export const temporary = (path: string) => `${path}.${process.pid}.tmp`;", "temporary file made by hand"],
  ["export const temporary = (path: string) => `${path}.new`;", "temporary file made by hand"],
  ["export const temporary = (path: string) => `${path}.soar-new`;", "temporary file made by hand"],
  ['export const temporary = "state.json.tmp";', "temporary file made by hand"],
  ["export const stat = (pid: number) => `/proc/${pid}/stat`;", "use readProcessStat"],
])("refuses in a library and in a program: %s", (code, message) => {
  for (const path of ["packages/storage/src/a.ts", "apps/restore-cli/src/a.ts"])
    expect(messages(path, code)).toEqual([expect.stringContaining(message)]);
});

test.each([
  "packages/durable-files/src/replace-file.ts",
  "packages/storage/src/drivers/file/publish.ts",
  "packages/seekable-tar/src/extract/open-files.ts",
  "packages/storage/src/a.test.ts",
])("accepts them in %s", (path) => {
  expect(messages(path, 'import { rename } from "node:fs/promises";\nexport const code = "ENOENT";')).toEqual([]);
});

test("accepts what only looks like it", () => {
  const code = [
    'import { mkdir, readFile } from "node:fs/promises";',
    'export const words = ["a new file", "pg_control.new", "/proc/self/mountinfo", "ENOENT: no such file"];',
  ];
  expect(messages("packages/storage/src/a.ts", code.join("\n"))).toEqual([]);
});
