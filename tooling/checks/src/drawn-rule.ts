import type { Check, Finding } from "./check.ts";
import { ALLOWED_IMPORTS } from "./dependency-rule.ts";

type Rule = Readonly<Record<string, readonly string[]>>;

const ARCHITECTURE = "docs/architecture.md";
/** Pages that show the rule as a table of arrows. */
const TABLES = [ARCHITECTURE, ".github/CONTRIBUTING.md"];
const ROW = /^([a-z][a-z, -]*?) +-> +(.+)$/gm;
const ARROW = /^ *([a-z-]+) --> ([a-z-]+)$/gm;
/** A frame of the picture: an arrow to or from it is one for each package in it. */
const FRAME = /^ *subgraph ([a-z-]+)\[[^\n]*\n([\s\S]*?)^ *end$/gm;
/** Packages that stand in nearly every row have a name together: "the floor: errors ..." says it, "the floor" uses it. */
const FLOOR = /\bthe floor\b:?/;

/** People read the dependency rule on two pages and in one picture: what they see there is what is enforced. */
export const drawnRule: Check = {
  name: "the dependency rule is shown as it is",
  find: ({ files }) => {
    const rule = withoutScope(ALLOWED_IMPORTS);
    const shown = TABLES.flatMap((path) => compareTable(path, files.get(path) ?? "", rule));
    return [...shown, ...comparePicture(files.get(ARCHITECTURE) ?? "", rule)];
  },
};

function compareTable(path: string, page: string, rule: Rule): Finding[] {
  const rows = Array.from(page.matchAll(ROW), ([, from = "", to = ""]) => ({ from, to }));
  const floor = rows.flatMap(({ to }) => namesIn(/\bthe floor: (.*)$/.exec(to)?.[1] ?? "", rule));
  const table = new Map(
    rows.flatMap(({ from, to }) => {
      const named = [...namesIn(to, rule), ...(FLOOR.test(to) ? floor : [])];
      return from.split(",").map((name) => [name.trim(), [...new Set(named)]] as const);
    }),
  );
  return Object.entries(rule)
    .filter(([name, allowed]) => sorted(table.get(name)) !== sorted(allowed))
    .map(([name, allowed]) => ({
      path,
      message: `the dependency rule of ${name} is not shown as '${name} -> ${allowed.join("  ") || "nothing"}'`,
    }));
}

/** An arrow of the picture is allowed, and what is allowed is reached by arrows. */
function comparePicture(page: string, rule: Rule): Finding[] {
  const frames = new Map(
    Array.from(page.matchAll(FRAME), ([, name = "", content = ""]) => [name, namesIn(content, rule)]),
  );
  const arrows = Array.from(page.matchAll(ARROW)).flatMap(([, from = "", to = ""]) =>
    (frames.get(from) ?? [from]).flatMap((one) => (frames.get(to) ?? [to]).map((other) => ({ from: one, to: other }))),
  );
  const excess = arrows.filter(({ from, to }) => rule[from] !== undefined && !rule[from].includes(to));
  const missing = Object.entries(rule).flatMap(([from, allowed]) => {
    const reached = new Set([from]);
    // A set yields what is added while it is walked through.
    for (const name of reached) for (const { to } of arrows.filter((arrow) => arrow.from === name)) reached.add(to);
    return allowed.filter((to) => !reached.has(to)).map((to) => ({ from, to }));
  });
  return [
    ...excess.map(({ from, to }) => ({
      path: ARCHITECTURE,
      message: `the picture has an arrow from ${from} to ${to}, which may not be imported there`,
    })),
    ...missing.map(({ from, to }) => ({
      path: ARCHITECTURE,
      message: `no arrows of the picture lead from ${from} to ${to}`,
    })),
  ];
}

function withoutScope(rule: Rule): Rule {
  const short = (name: string): string => name.replace("@soar/", "");
  return Object.fromEntries(Object.entries(rule).map(([name, allowed]) => [short(name), allowed.map(short)]));
}

/** Words in parentheses say something about a name. */
function namesIn(text: string, rule: Rule): string[] {
  return (text.replaceAll(/\([^)]*\)/g, "").match(/[a-z][a-z-]*/g) ?? []).filter((name) => rule[name] !== undefined);
}

function sorted(names: readonly string[] | undefined): string | undefined {
  return names?.toSorted().join(" ");
}
