import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { drawnRule } from "./drawn-rule.ts";
import { sampleWorkspace } from "./sample-workspace.fixture.ts";

const ROOT = new URL("../../../", import.meta.url);
const [ARCHITECTURE, CONTRIBUTING] = ["docs/architecture.md", ".github/CONTRIBUTING.md"] as const;
const read = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");

/** The pages as they are, after a change of one of them. */
function findAfter(path: string, change: (page: string) => string): string[] {
  const pages: Record<string, string> = { [ARCHITECTURE]: read(ARCHITECTURE), [CONTRIBUTING]: read(CONTRIBUTING) };
  const changed = change(pages[path] ?? "");
  expect(changed).not.toBe(pages[path]);
  return drawnRule
    .find(sampleWorkspace({ ...pages, [path]: changed }))
    .map((found) => `${found.path}: ${found.message}`);
}

test("a row that is gone, or says another thing, is told on either page", () => {
  for (const path of [ARCHITECTURE, CONTRIBUTING]) {
    expect(findAfter(path, (page) => page.replace(/^errors +-> .*\n/m, ""))).toEqual([
      `${path}: the dependency rule of errors is not shown as 'errors -> nothing'`,
    ]);
    expect(findAfter(path, (page) => page.replace(/^(app-kit +->.*) the floor$/m, "$1"))).toEqual([
      expect.stringContaining(`${path}: the dependency rule of app-kit is not shown as 'app-kit -> storage`),
    ]);
    expect(findAfter(path, (page) => page.replace(/the floor: [a-z-]+ /, "the floor: ")).length).toBeGreaterThan(5);
  }
});

test("an arrow that nobody may follow is told, words beside a name are not read", () => {
  const drawn = (arrow: string): string[] =>
    findAfter(ARCHITECTURE, (page) => page.replace("  app-kit --> storage\n", `  app-kit --> storage\n  ${arrow}\n`));
  expect(drawn("storage --> repository")).toEqual([
    `${ARCHITECTURE}: the picture has an arrow from storage to repository, which may not be imported there`,
  ]);
  expect(drawn("apps --> anything")).toEqual([]);
});

test("an import that no arrows lead to is told", () => {
  expect(findAfter(ARCHITECTURE, (page) => page.replace("  verify --> restore\n", ""))).toContain(
    `${ARCHITECTURE}: no arrows of the picture lead from verify to restore`,
  );
});

test("a page that is not there shows nothing", () => {
  expect(drawnRule.find(sampleWorkspace({})).length).toBeGreaterThan(10);
});
