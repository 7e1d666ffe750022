// oxlint-disable typescript/no-unsafe-enum-comparison -- the parser declares const enums, which no other module can name
import { type Node, type Program, Visitor } from "oxc-parser";

/** Offsets of `using` declarations in a `try` that a loop goes on after. */
export function readLoopedUsings(program: Program): number[] {
  const found = new Set<number>();
  const visitLoop = ({ body }: { readonly body: Node }): void => collect(body, { isTried: false }, found);
  new Visitor({
    ForStatement: visitLoop,
    ForOfStatement: visitLoop,
    ForInStatement: visitLoop,
    WhileStatement: visitLoop,
    DoWhileStatement: visitLoop,
  }).visit(program);
  return [...found];
}

/** Not into functions within: they have variables of their own. */
function collect(node: Node, { isTried }: { readonly isTried: boolean }, found: Set<number>): void {
  if (/Function/.test(node.type)) return;
  if (isTried && node.type === "VariableDeclaration" && node.kind.endsWith("using")) found.add(node.start);
  for (const [name, value] of Object.entries(node) as [string, unknown][])
    for (const child of [value].flat())
      if (isNode(child))
        collect(
          child,
          { isTried: isTried || (node.type === "TryStatement" && node.handler !== null && name === "block") },
          found,
        );
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}
