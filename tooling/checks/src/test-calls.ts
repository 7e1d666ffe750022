// oxlint-disable typescript/no-unsafe-enum-comparison -- the parser declares const enums, which no other module can name
import { type CallExpression, type Expression, type Node, type Program, Visitor } from "oxc-parser";

/** What a test file does with `test`, `it` and `describe`, by offsets in its text. */
export interface TestCalls {
  /** `return;` of a test's own function. */
  readonly earlyReturns: readonly number[];
  /** `test.skip`, `describe.skipIf` and the like. */
  readonly handSkips: readonly number[];
}

const TESTS = new Set(["test", "it"]);
const SUITES = new Set(["describe", "suite"]);
const SKIPS = new Set(["skip", "skipIf", "runIf", "todo"]);
/** Their arguments are cases or conditions; the call of what they give holds the test. */
const MAKERS = new Set(["each", "for", "skipIf", "runIf", "extend"]);

export function readTestCalls(program: Program): TestCalls {
  const earlyReturns: number[] = [];
  const handSkips: number[] = [];
  new Visitor({
    MemberExpression(node) {
      if (node.computed || node.property.type !== "Identifier" || !SKIPS.has(node.property.name)) return;
      const root = rootOf(node.object);
      if (root !== undefined && (TESTS.has(root) || SUITES.has(root))) handSkips.push(node.start);
    },
    CallExpression(node) {
      if (!holdsTest(node)) return;
      for (const argument of node.arguments)
        if (argument.type === "ArrowFunctionExpression" || argument.type === "FunctionExpression")
          collectReturns(argument.body, earlyReturns);
    },
  }).visit(program);
  return { earlyReturns, handSkips };
}

function holdsTest({ callee }: CallExpression): boolean {
  const isMaker =
    callee.type === "MemberExpression" && callee.property.type === "Identifier" && MAKERS.has(callee.property.name);
  return !isMaker && TESTS.has(rootOf(callee) ?? "");
}

/** `test` of `test.concurrent.each(cases)`. */
function rootOf(expression: Expression): string | undefined {
  if (expression.type === "Identifier") return expression.name;
  if (expression.type === "MemberExpression") return rootOf(expression.object);
  return expression.type === "CallExpression" ? rootOf(expression.callee) : undefined;
}

/** Not into functions within: what they return from is themselves. */
function collectReturns(node: Node | null, found: number[]): void {
  if (node === null || /Function/.test(node.type)) return;
  if (node.type === "ReturnStatement" && node.argument === null) found.push(node.start);
  for (const value of Object.values(node) as unknown[])
    for (const child of [value].flat()) if (isNode(child)) collectReturns(child, found);
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}
