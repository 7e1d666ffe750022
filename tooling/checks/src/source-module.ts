// oxlint-disable typescript/no-unsafe-enum-comparison -- the parser declares const enums, which no other module can name
import { parseSync, Visitor } from "oxc-parser";
import { readTestCalls } from "./test-calls.ts";
import { readLoopedUsings } from "./looped-usings.ts";

/** One import, re-export or `import()` of a module. */
export interface ModuleImport {
  readonly specifier: string;
  /** Names of what is taken apart from types; `*` for the whole module, also by `import()`. */
  readonly values: readonly string[];
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface ExportedName {
  readonly name: string;
  readonly kind: "type" | "value";
}

/** A use of something that the surrounding process owns, such as `process.env`. */
export interface ProcessUse {
  readonly what: string;
  readonly line: number;
}

/** A string or template of the code; `${}` stands for what is put into a template. */
export interface SourceText {
  readonly text: string;
  readonly line: number;
}

/** What the checks know of a source file, read with a real parser. */
export interface SourceModule {
  readonly path: string;
  /** Tests, benchmarks and what only they load. */
  readonly isTest: boolean;
  readonly lines: number;
  readonly imports: readonly ModuleImport[];
  readonly exports: readonly ExportedName[];
  /** Lines of `export * from`. */
  readonly starExports: readonly number[];
  readonly processUses: readonly ProcessUse[];
  readonly texts: readonly SourceText[];
  /** Lines of `return;` in a test's own function. */
  readonly earlyReturns: readonly number[];
  /** Lines of `test.skip` and the like. */
  readonly handSkips: readonly number[];
  /** Lines of `using` in a `try` that a loop goes on after. */
  readonly loopedUsings: readonly number[];
  /** Statements other than imports and exports, which an index file should not have. */
  readonly statements: number;
  readonly problems: readonly string[];
}

type Parsed = ReturnType<typeof parseSync>;

export function readModule(path: string, code: string): SourceModule {
  const parsed = parseSync(path, code, { sourceType: "module" });
  const lineOf = lineFinder(code);
  const isTest = /\.(test|bench|fixture)\.ts$|\/(test|bench)\//.test(path);
  const { earlyReturns, handSkips } = isTest ? readTestCalls(parsed.program) : { earlyReturns: [], handSkips: [] };
  return {
    path,
    isTest,
    lines: code.split("\n").length - (code.endsWith("\n") ? 1 : 0),
    imports: [
      ...readImports(parsed, lineOf),
      ...readReExports(parsed, lineOf),
      ...readDynamicImports(parsed, code, lineOf),
    ],
    exports: readExports(parsed),
    starExports: starExports(parsed).map(({ start }) => lineOf(start)),
    processUses: readProcessUses(parsed, lineOf),
    texts: readTexts(parsed, lineOf),
    earlyReturns: earlyReturns.map(lineOf),
    handSkips: handSkips.map(lineOf),
    loopedUsings: readLoopedUsings(parsed.program).map(lineOf),
    statements: parsed.program.body.filter(({ type }) => !/^(Import|Export)/.test(type)).length,
    problems: parsed.errors.map(({ message }) => message),
  };
}

function lineFinder(code: string): (offset: number) => number {
  const starts = [0];
  for (let at = code.indexOf("\n"); at !== -1; at = code.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => starts.findLastIndex((start) => start <= offset) + 1;
}

function readImports(parsed: Parsed, lineOf: (offset: number) => number): ModuleImport[] {
  return parsed.module.staticImports.map(({ moduleRequest, entries, start }) => ({
    specifier: moduleRequest.value,
    values: entries
      .filter(({ isType }) => !isType)
      .map(({ importName }) => (importName.kind === "NamespaceObject" ? "*" : (importName.name ?? "default"))),
    typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
    line: lineOf(start),
  }));
}

function exportEntries(parsed: Parsed) {
  return parsed.module.staticExports.flatMap(({ entries, start }) => entries.map((entry) => ({ ...entry, start })));
}

function readReExports(parsed: Parsed, lineOf: (offset: number) => number): ModuleImport[] {
  return exportEntries(parsed).flatMap(({ moduleRequest, importName, isType, start }) => {
    if (moduleRequest === null) return [];
    return [
      {
        specifier: moduleRequest.value,
        values: isType ? [] : [importName.name ?? "*"],
        typeOnly: isType,
        line: lineOf(start),
      },
    ];
  });
}

/** `import(x)` with anything but a plain string is reported as `<computed>`: nothing can check where it leads. */
function readDynamicImports(parsed: Parsed, code: string, lineOf: (offset: number) => number): ModuleImport[] {
  return parsed.module.dynamicImports.map(({ moduleRequest, start }) => {
    const [, literal] = /^(?:"([^"]*)"|'([^']*)')$/.exec(code.slice(moduleRequest.start, moduleRequest.end)) ?? [];
    return { specifier: literal ?? "<computed>", values: ["*"], typeOnly: false, line: lineOf(start) };
  });
}

function starExports(parsed: Parsed) {
  return exportEntries(parsed).filter(
    ({ importName, exportName }) => importName.kind !== "Name" && exportName.kind === "None",
  );
}

function readExports(parsed: Parsed): ExportedName[] {
  return exportEntries(parsed)
    .filter(({ exportName }) => exportName.kind !== "None")
    .map(
      ({ exportName, isType }) => ({ name: exportName.name ?? "default", kind: isType ? "type" : "value" }) as const,
    );
}

const PROCESS_MEMBERS = new Set([
  "env",
  "argv",
  "exit",
  "exitCode",
  "stdin",
  "stdout",
  "stderr",
  "abort",
  "chdir",
  "umask",
  "on",
  "once",
]);

/** A file that declares a `process` of its own, such as a child process, means that one. */
function readProcessUses({ program }: Parsed, lineOf: (offset: number) => number): ProcessUse[] {
  const uses: ProcessUse[] = [];
  const declared = new Set<string>();
  new Visitor({
    VariableDeclarator: ({ id }) => void (id.type === "Identifier" && declared.add(id.name)),
    MemberExpression: (node) => {
      if (node.object.type !== "Identifier") return;
      const member = node.property.type === "Identifier" && !node.computed ? node.property.name : "[…]";
      if (node.object.name === "console") uses.push({ what: `console.${member}`, line: lineOf(node.start) });
      if (node.object.name === "process" && (PROCESS_MEMBERS.has(member) || member === "[…]"))
        uses.push({ what: `process.${member}`, line: lineOf(node.start) });
    },
  }).visit(program);
  return uses.filter(({ what }) => !declared.has(what.split(".")[0] ?? ""));
}

function readTexts({ program }: Parsed, lineOf: (offset: number) => number): SourceText[] {
  const texts: SourceText[] = [];
  new Visitor({
    Literal: (node) => {
      if (typeof node.value === "string") texts.push({ text: node.value, line: lineOf(node.start) });
    },
    TemplateLiteral: ({ quasis, start }) => {
      const text = quasis.map(({ value }) => value.cooked ?? value.raw).join("${}");
      texts.push({ text, line: lineOf(start) });
    },
  }).visit(program);
  return texts;
}
