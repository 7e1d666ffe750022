import { readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import type { AppManifest } from "./manifest.ts";

/** What must never be part of a program that users run. */
const FORBIDDEN_INPUTS: readonly { readonly pattern: RegExp; readonly reason: string }[] = [
  { pattern: /\.test\.ts$|\.bench\.ts$/, reason: "is a test" },
  { pattern: /(^|\/)tooling\//, reason: "is tooling of the repository" },
  { pattern: /(^|\/)src\/testing\//, reason: "is a conformance suite" },
  { pattern: /node_modules\/(vitest|@vitest|fast-check|typescript|esbuild)\//, reason: "is a development tool" },
  { pattern: /packages\/[^/]+\/dist\//, reason: "is built output: the bundle must come from the sources" },
];

/** CommonJS packages look for these inside a `try` and go on without them. */
const OPTIONAL = new Set(["pg-native", "zlib-sync"]);

/** Reasons why the bundle would fail, or would be wrong, where the package is installed. */
export async function findProblems(
  folder: string,
  metafile: Metafile,
  manifest: AppManifest,
  external: readonly string[],
): Promise<string[]> {
  const problems = Object.keys(metafile.inputs).flatMap((input) => {
    const rule = FORBIDDEN_INPUTS.find(({ pattern }) => pattern.test(input));
    return rule === undefined ? [] : [`unable to bundle '${input}': it ${rule.reason}`];
  });
  for (const name of externalPackages(metafile)) {
    if (isBuiltin(name) || OPTIONAL.has(name) || name in manifest.dependencies) continue;
    problems.push(
      `unable to leave '${name}' outside of the bundle: ${manifest.name} does not list it under dependencies`,
    );
  }
  for (const name of Object.keys(manifest.dependencies)) {
    if (!external.includes(name))
      problems.push(`'${name}' is part of the bundle: list it under devDependencies of ${manifest.name}`);
  }
  return [...problems, ...(await missingWorkers(folder, metafile))];
}

function externalPackages({ outputs }: Metafile): Set<string> {
  const imports = Object.values(outputs).flatMap((output) => output.imports);
  return new Set(imports.filter(({ external }) => external).map(({ path }) => packageName(path)));
}

function packageName(specifier: string): string {
  const [scope = "", name = ""] = specifier.split("/");
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}

/** A worker is named by a string, so only this finds one whose file was renamed. */
async function missingWorkers(folder: string, { outputs }: Metafile): Promise<string[]> {
  const problems: string[] = [];
  for (const path of Object.keys(outputs).filter((name) => name.endsWith(".js"))) {
    const text = await readFile(join(folder, path), "utf8");
    for (const [, worker = ""] of text.matchAll(/["'`]\.\/([\w-]+-worker\.js)["'`]/g)) {
      if (outputs[`dist/${worker}`] === undefined)
        problems.push(`unable to find '${worker}', which ${path} starts as a worker thread`);
    }
  }
  return problems;
}
