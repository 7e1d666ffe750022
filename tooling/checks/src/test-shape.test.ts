import { describe, expect, test } from "vitest";
import { sampleWorkspace } from "./sample-workspace.fixture.ts";
import { testShape } from "./test-shape.ts";

const PATH = "packages/storage/src/a.test.ts";
const find = (code: string, path = PATH) => testShape.find(sampleWorkspace({ [path]: code }));

describe("accepts", () => {
  test.each([
    ["a test without a return", 'test("a", () => { expect(1).toBe(1); });'],
    ["a value that is returned", 'test("a", () => { if (x) return expect(1).toBe(1); });'],
    [
      "a function within that ends early",
      'test("a", async () => { const f = () => { return; }; g(function () { return; }); });',
    ],
    ["a class and a getter within", 'test("a", () => { class A { m() { return; } } ({ get x() { return; } }); });'],
    ["a case that ends early", 'test.each([[() => { return; }]])("a", (run) => run());'],
    ["a hook", "beforeEach(() => { if (x) return; });"],
    ["somebody else's skip", "comparison.skip(10); reader.test.skip();"],
  ])("%s", (_what, code) => {
    expect(find(code)).toEqual([]);
  });

  test("source code", () => {
    expect(find('test("a", () => { return; });', "packages/storage/src/a.ts")).toEqual([]);
  });
});

describe("refuses", () => {
  const early = "a test that returns early passes without having looked: name what it needs with `requires`";
  const byHand = "a test is left out by what it `requires` of the machine, and by nothing else";

  test.each([
    ["an early return", 'test("a", () => {\n  if (disk === undefined) return;\n});', early],
    ["one in a function", 'it("a", async function () {\n  return;\n});', early],
    ["one after options", 'test("a", { timeout: 1 }, () => {\n  return;\n});', early],
    ["one of a table", 'test.each([1])("a %i", () => {\n  return;\n});', early],
    ["one of a conditional kind", 'test.concurrent("a", () => {\n  return;\n});', early],
    ["one within a loop and a try", 'test("a", () => { for (;;) try {\n return;\n } catch {} });', early],
    ["a skipped test", 'const x = 1;\ntest.skip("a", () => {});', byHand],
    ["a test under a condition", 'const x = 1;\ntest.skipIf(x)("a", () => {});', byHand],
    ["a suite under a condition", 'const x = 1;\ndescribe.runIf(x)("a", () => {});', byHand],
    ["a test to be written", 'const x = 1;\ntest.todo("a");', byHand],
  ])("%s", (_what, code, message) => {
    expect(find(code)).toEqual([{ path: PATH, line: 2, message }]);
  });
});
