import { posix } from "node:path";
import type { Check, Finding } from "./check.ts";
import type { ModuleImport, SourceModule } from "./source-module.ts";
import type { Workspace, WorkspacePackage } from "./workspace.ts";

/** Small things that every program needs, each of them once. They know neither PostgreSQL nor backups. */
const FLOOR = ["@soar/durable-files", "@soar/programs", "@soar/task-pool", "@soar/errors"];
const NOUNS = ["@soar/repository", "@soar/seekable-tar", "@soar/pg-tools", "@soar/storage", ...FLOOR];

/** Arrows only point down. docs/architecture.md and CONTRIBUTING.md show the same, which another check compares. */
export const ALLOWED_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  "@soar/errors": [],
  "@soar/durable-files": ["@soar/errors"],
  "@soar/programs": ["@soar/durable-files", "@soar/errors"],
  "@soar/task-pool": ["@soar/errors"],
  "@soar/storage": FLOOR,
  "@soar/pg-tools": FLOOR,
  "@soar/seekable-tar": FLOOR,
  "@soar/metrics": ["@soar/durable-files", "@soar/errors"],
  "@soar/app-kit": ["@soar/storage", ...FLOOR],
  "@soar/repository": NOUNS.slice(1),
  "@soar/archive": ["@soar/metrics", ...NOUNS],
  "@soar/restore": NOUNS,
  "@soar/backup": ["@soar/restore", ...NOUNS],
  "@soar/verify": ["@soar/restore", ...NOUNS],
};

/** The values that app-kit may take from storage, by entry; types are free. Names of providers are needed before a store is, and the webhook goes through the same proxies. */
const APP_KIT_FROM_STORAGE: Readonly<Record<string, readonly string[]>> = {
  "@soar/storage": ["openStore"],
  "@soar/storage/provider-names": ["PROVIDER_NAMES"],
  "@soar/storage/proxy-choice": ["chooseProxy", "targetOf"],
};
const SDK = /^@(aws-sdk|smithy|aws)\//;

export const dependencyRule: Check = {
  name: "dependency rule",
  find: (workspace) => [...workspace.packages.flatMap((from) => checkPackage(workspace, from)), ...checkSdk(workspace)],
};

function checkPackage(workspace: Workspace, from: WorkspacePackage): Finding[] {
  const unknown = from.group === "packages" && ALLOWED_IMPORTS[from.name] === undefined;
  const findings: Finding[] = unknown
    ? [{ path: `${from.folder}/package.json`, message: `${from.name} has no row in the dependency rule` }]
    : [];
  for (const module of from.modules) {
    for (const imported of module.imports) {
      const message = judge(workspace, from, module, imported);
      if (message !== undefined) findings.push({ path: module.path, line: imported.line, message });
    }
  }
  return findings;
}

function judge(
  workspace: Workspace,
  from: WorkspacePackage,
  module: SourceModule,
  imported: ModuleImport,
): string | undefined {
  const { specifier } = imported;
  if (specifier === "<computed>")
    return from.group === "tooling" ? undefined : "import() of a computed name: no check can see where it leads";
  if (specifier.startsWith("/") || specifier.startsWith("file:")) return `'${specifier}' is an absolute path`;
  if (specifier.startsWith("."))
    return leavesPackage(from, module, specifier)
      ? `'${specifier}' leaves the package: import packages by their names`
      : undefined;
  const target = workspace.packages.find(({ name }) => specifier === name || specifier.startsWith(`${name}/`));
  return target === undefined || target === from ? undefined : judgePackage(from, module, target, imported);
}

function leavesPackage(from: WorkspacePackage, module: SourceModule, specifier: string): boolean {
  const path = posix.join(posix.dirname(module.path), specifier);
  return !path.startsWith(`${from.folder}/`);
}

function judgePackage(
  from: WorkspacePackage,
  module: SourceModule,
  target: WorkspacePackage,
  imported: ModuleImport,
): string | undefined {
  if (target.group === "apps") return `apps are programs: nobody imports '${target.name}'`;
  if (target.group === "tooling") {
    return from.group === "tooling" || module.isTest
      ? undefined
      : `'${target.name}' is tooling: only tests and tooling import it`;
  }
  if (from.group !== "packages") return undefined;
  if (!(ALLOWED_IMPORTS[from.name] ?? []).includes(target.name)) return `${from.name} must not import '${target.name}'`;
  const taken =
    from.name === "@soar/app-kit" && target.name === "@soar/storage" && !module.isTest ? imported.values : [];
  const excess = taken.filter((name) => !(APP_KIT_FROM_STORAGE[imported.specifier] ?? []).includes(name));
  return excess.length === 0 ? undefined : `app-kit takes openStore and types from storage, not ${excess.join(", ")}`;
}

/** One file knows the SDK, so that a major of the SDK is a change of one file. Tooling may use it as a second opinion. */
function checkSdk({ packages }: Workspace): Finding[] {
  const uses = packages
    .filter(({ group }) => group !== "tooling")
    .flatMap((owner) =>
      owner.modules.map((module) => ({
        owner,
        module,
        at: module.imports.find(({ specifier }) => SDK.test(specifier)),
      })),
    )
    .flatMap(({ owner, module, at }) => (at === undefined ? [] : [{ owner, path: module.path, line: at.line }]));
  const [first] = uses.filter(({ owner }) => owner.name === "@soar/storage");
  return uses
    .filter((use) => use !== first)
    .map(({ path, line }) => ({
      path,
      line,
      message: `the S3 SDK is imported by one file only${first === undefined ? ", in storage" : `: ${first.path}`}`,
    }));
}
