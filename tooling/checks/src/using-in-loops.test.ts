import { expect, test } from "vitest";
import { sampleWorkspace } from "./sample-workspace.fixture.ts";
import { usingInLoops } from "./using-in-loops.ts";

const linesOf = (code: string): (number | undefined)[] =>
  usingInLoops.find(sampleWorkspace({ "packages/storage/src/a.ts": code })).map(({ line }) => line);

test.each([
  "for (;;) {\n try {\n  await using a = await f();\n } catch {}\n}",
  "while (x) {\n if (y) try {\n  using a = f();\n } catch (error) {} finally {}\n}",
  "for (const one of all) {\n for (;;) try {\n  { await using a = f(); }\n } catch {}\n}",
])("finds what a loop goes on after: %j", (code) => {
  expect(linesOf(`export async function run() {\n${code}\n}`)).toEqual([4]);
});

test.each([
  "for (;;) { await using a = await f(); }",
  "try { await using a = await f(); } catch {}",
  "for (;;) { try { await using a = f(); } finally { g(); } }",
  "for (;;) { try { await (async () => { await using a = f(); })(); } catch {} }",
  "for (;;) { try { f(); } catch { await using a = f(); throw a; } }",
])("accepts what throws out of the loop, or has variables of its own: %j", (code) => {
  expect(linesOf(`export async function run() {\n${code}\n}`)).toEqual([]);
});
