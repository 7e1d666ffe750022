import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LONG_TESTS } from "./long-tests.ts";
import { ROOT } from "./root.ts";

test("every long test file is where it is said to be", () => {
  expect(Object.keys(LONG_TESTS).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
