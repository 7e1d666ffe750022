import { describe, expect, test } from "vitest";
import { namedFiles } from "./named-files.ts";
import { sampleWorkspace } from "./sample-workspace.fixture.ts";
import { makeWorkspace } from "./workspace.ts";

/** Put together here, so that this file itself names nothing that does not exist. */
const GUIDE = ["docs", "guide.md"].join("/");
const LOST = ["docs", "lost.md"].join("/");
const OTHER = ["docs", "other.md"].join("/");
const PAGES = {
  [GUIDE]: "# Guide\n\n## What's `new`, and why?\n",
  "packages/storage/README.md": "",
  "packages/storage/src/put.test.ts": "",
};

function messages(files: Record<string, string>): string[] {
  return namedFiles.find(sampleWorkspace({ ...PAGES, ...files })).map(({ message }) => message);
}

describe("a document that is named", () => {
  test.each([
    ["by its path in a comment", "packages/storage/src/a.ts", `// See ${GUIDE}, number 3.`],
    ["by its name alone", "packages/storage/src/a.ts", "/** guide.md 4 */"],
    ["from another folder", "packages/storage/README.md", `See \`../../${GUIDE}\`.`],
    ["of another project by its address", "packages/storage/src/a.ts", "// https://github.com/a/b/blob/main/lost.md"],
    ["as a pattern", ".github/CONTRIBUTING.md", "Decisions are docs/decisions/*.md, tests *.integration.test.ts."],
    ["as a part of a test's own data", "packages/storage/src/a.test.ts", 'const files = { "base/lost.md": "" };'],
  ])("%s is accepted", (_what, path, text) => {
    expect(messages({ [path]: text })).toEqual([]);
  });

  test.each([
    ["a comment", "packages/storage/src/a.ts", `// See ${LOST}.`],
    ["a message", "apps/base-backup/src/a.ts", `const hint = "Read ${LOST}.";`],
    ["a test", "packages/storage/src/a.test.ts", `// See ${LOST}.`],
    ["a page", OTHER, `\`${LOST}\``],
    ["a changeset", ".changeset/storage.md", `The ${LOST}.`],
    ["a workflow", ".github/workflows/ci.yml", `# ${LOST}`],
  ])("in %s has to exist", (_what, path, text) => {
    expect(messages({ [path]: text })).toEqual([`'${LOST}' is named and does not exist`]);
  });
});

test("a page names tests that there are, and says where it is wrong", () => {
  const text = "Shown by `put.test.ts`.\n\nAnd by `lost.test.ts`.";
  expect(namedFiles.find(sampleWorkspace({ ...PAGES, [OTHER]: text }))).toEqual([
    { path: OTHER, line: 3, message: "'lost.test.ts' is named and does not exist" },
  ]);
});

describe("a link of a page", () => {
  test.each([
    ["to a page beside it", "[g](guide.md)"],
    ["to a heading", "[g](guide.md#whats-new-and-why)"],
    ["to a heading of its own", "# Here\n\n[g](#here)"],
    ["to a folder", "[s](../packages/storage), [s](../packages/storage/)"],
    ["to a file whose text nobody reads", "[example](env.example)"],
    ["to elsewhere", "[e](https://example.org/lost.md#top), [m](mailto:a@b.c)"],
  ])("%s is accepted", (_what, text) => {
    const files = new Map(Object.entries({ ...PAGES, [OTHER]: text }));
    const workspace = makeWorkspace(files, new Set([...files.keys(), "docs/env.example"]));
    expect(namedFiles.find(workspace)).toEqual([]);
  });

  test.each([
    [`[g](${GUIDE})`, `the link '${GUIDE}' leads nowhere`],
    ["[s](../packages/store)", "the link '../packages/store' leads nowhere"],
    ["[g](guide.md#old)", "the link 'guide.md#old' names a heading that is not there"],
  ])("%s is refused", (text, message) => {
    expect(messages({ [OTHER]: text })).toEqual([message]);
  });
});
