import { expect, test } from "vitest";
import { whyVitestFailed } from "./why-vitest-failed.ts";

const OUTPUT = `
 \u001B[32m✓\u001B[39m \u001B[30m\u001B[42m unit \u001B[49m\u001B[39m packages/errors/src/soar-error.test.ts
-------------------|---------|----------|---------|---------|-------------------
File               | % Stmts | % Branch | % Funcs | % Lines | Uncovered Line #s
-------------------|---------|----------|---------|---------|-------------------
All files          |   99.61 |    99.98 |   99.49 |   99.63 |
  \u001B[33mstart-cluster.ts\u001B[39m | 94.73 | 96.2 | 100 | 94.11 | 91-92
  json-record.ts   |    97.5 |      100 |     100 |   97.29 | 95
-------------------|---------|----------|---------|---------|-------------------
\u001B[31mERROR: Coverage for branches (99.98%) does not meet global threshold (100%)\u001B[39m
`;

test("a branch that no test took is named with its file, behind whatever else was printed", () => {
  expect(whyVitestFailed(OUTPUT)).toEqual([
    "All files          |   99.61 |    99.98 |   99.49 |   99.63 |",
    "start-cluster.ts | 94.73 | 96.2 | 100 | 94.11 | 91-92",
    "ERROR: Coverage for branches (99.98%) does not meet global threshold (100%)",
  ]);
});

test("an output with nothing of this kind gives no line", () => {
  expect(whyVitestFailed(" Tests  12 passed (12)\nError: something of a test\na | b\n")).toEqual([]);
});
