import { expect, test } from "vitest";
import { citedSafety } from "./cited-safety.ts";
import { sampleWorkspace } from "./sample-workspace.fixture.ts";

const PAGE = { "docs/safety.md": "**Promise 1. Archive.** Text.\n\n**Trap 2. A tool.**\n\n**Trap 13. Another.**\n" };
const cite = (text: string): string[] =>
  citedSafety.find(sampleWorkspace({ ...PAGE, "packages/storage/src/a.ts": text })).map(({ message }) => message);
/** Put together here, so that this file itself cites nothing that is not there. */
const [PROMISE, TRAP, TRAPS] = ["promise", "trap", "traps"];

test.each([`(safety, ${TRAP} 2)`, `(safety, ${TRAP} 13)`, `(safety, ${TRAPS} 2 and 13)`, "Promise 1: nothing else."])(
  "%s is accepted",
  (text) => {
    expect(cite(`// ${text}`)).toEqual([]);
  },
);

test.each([
  [`(safety, ${TRAP} 62)`, `${TRAP} 62`],
  [`(safety, ${TRAPS} 2, 7 and 13)`, `${TRAP} 7`],
  [`The ${PROMISE} 11 of this page`, `${PROMISE} 11`],
])("%s is refused", (text, cited) => {
  expect(cite(`// ${text}`)).toEqual([`${cited} is not on docs/safety.md`]);
});

test("the place is told", () => {
  const files = { ...PAGE, "README.md": `# Other\n\nAs in ${TRAP} 99.` };
  expect(citedSafety.find(sampleWorkspace(files))).toEqual([
    { path: "README.md", line: 3, message: `${TRAP} 99 is not on docs/safety.md` },
  ]);
});
