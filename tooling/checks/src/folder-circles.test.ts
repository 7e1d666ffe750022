import { describe, expect, test } from "vitest";
import { folderCircles } from "./folder-circles.ts";
import { sampleWorkspace } from "./sample-workspace.fixture.ts";

function find(files: Record<string, string>): string[] {
  const sources = Object.entries(files).map(([path, code]): [string, string] => [`packages/storage/src/${path}`, code]);
  return folderCircles.find(sampleWorkspace(Object.fromEntries(sources))).map(({ path, line }) => `${path}:${line}`);
}

const value = (path: string): string => `import { a } from "${path}";\n`;
const type = (path: string): string => `import type { A } from "${path}";\n`;

describe("folders of a package form no circle", () => {
  test.each([
    ["arrows in one direction", { "a/one.ts": value("../b/two.ts"), "b/two.ts": "" }],
    ["files of one folder", { "a/one.ts": value("./two.ts"), "a/two.ts": "" }],
    ["a step between two folders", { "a/one.ts": "", "step.ts": value("./a/one.ts"), "b/two.ts": value("../step.ts") }],
    [
      "a test that looks at both",
      { "a/one.ts": value("../b/two.ts"), "b/two.ts": "", "b/two.test.ts": value("../a/one.ts") },
    ],
  ])("accepts %s", (_what, files) => {
    expect(find(files)).toEqual([]);
  });

  test.each([
    ["two folders, one by a type alone", { "a/one.ts": type("../b/two.ts"), "b/three.ts": value("../a/four.ts") }],
    ["a folder and the one that it lies in", { "a/one.ts": value("./b/two.ts"), "a/b/three.ts": value("../four.ts") }],
    ["a folder and a step", { "a/one.ts": value("../step.ts"), "step.ts": type("./a/two.ts") }],
  ])("refuses %s, although no two files import each other", (_what, files) => {
    const paths = Object.keys(files).map((path) => `packages/storage/src/${path}:1`);
    expect(find(files).sort()).toEqual(paths.sort());
  });

  test("refuses a circle of three, and names only its arrows", () => {
    const files = {
      "a/one.ts": value("../b/two.ts"),
      "b/two.ts": value("../c/three.ts"),
      "c/three.ts": `\n${type("../a/four.ts")}`,
      "d/five.ts": value("../a/one.ts"),
    };
    expect(find(files)).toEqual([
      "packages/storage/src/a/one.ts:1",
      "packages/storage/src/b/two.ts:1",
      "packages/storage/src/c/three.ts:2",
    ]);
  });
});
