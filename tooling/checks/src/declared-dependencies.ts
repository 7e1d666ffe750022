import { isBuiltin } from "node:module";
import type { Check, Finding } from "./check.ts";
import type { ModuleImport, SourceModule } from "./source-module.ts";
import type { WorkspacePackage } from "./workspace.ts";

/** What every test may use; the root of the workspace installs it. */
const FROM_ROOT = new Set(["vitest", "fast-check"]);

/**
 * A package finds what it imports where users install it: under `dependencies`. Tests, type-only imports and apps,
 * which are bundled, are content with `devDependencies`.
 */
export const declaredDependencies: Check = {
  name: "declared dependencies",
  find: ({ packages }) => packages.flatMap((owner) => owner.modules.flatMap((module) => checkModule(owner, module))),
};

function checkModule(owner: WorkspacePackage, module: SourceModule): Finding[] {
  return module.imports.flatMap((imported) => {
    const message = judge(owner, module, imported);
    return message === undefined ? [] : [{ path: module.path, line: imported.line, message }];
  });
}

function judge(
  { manifest, group, name: owner }: WorkspacePackage,
  module: SourceModule,
  { specifier, typeOnly }: ModuleImport,
): string | undefined {
  if (/^[./<]|^(node|file|data):/.test(specifier)) return undefined;
  if (isBuiltin(specifier)) return `write 'node:${specifier}'`;
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  if (name === owner || name in { ...manifest.dependencies, ...manifest.peerDependencies }) return undefined;
  const development = module.isTest || typeOnly || group !== "packages";
  if (development && (name in { ...manifest.devDependencies } || `@types/${name}` in { ...manifest.devDependencies }))
    return undefined;
  if ((module.isTest || group === "tooling") && FROM_ROOT.has(name)) return undefined;
  const where = development ? "dependencies or devDependencies" : "dependencies";
  return `'${name}' is not declared under ${where} of ${owner}`;
}
