import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Finding } from "./check.ts";
import { publishedFiles } from "./packed-files.ts";
import type { PackedInstallation } from "./packed-installation.ts";
import { importEntries } from "./packed-runs.ts";

/** The compiler options of a careful user; `skipLibCheck` off, so that our declarations are read in full. */
const COMPILER_OPTIONS = {
  module: "nodenext",
  target: "es2024",
  lib: ["es2025", "esnext.array"],
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
};

/** Users can compile against the published declarations, which do not make an SDK's major version ours. */
export async function checkDeclarations(installation: PackedInstallation): Promise<Finding[]> {
  return [...(await findVendorTypes(installation)), ...(await compileUser(installation))];
}

/** Imports of the packages whose types users would otherwise have to install. */
const VENDOR = /["'](@(?:aws-sdk|smithy)\/[\w-]+|pg)(?:\/[^"']*)?["']/;

async function findVendorTypes({ packages }: PackedInstallation): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const library of packages.filter(({ group }) => group === "packages")) {
    for (const file of (await publishedFiles(library.folder)).filter((path) => path.endsWith(".d.ts"))) {
      const text = await readFile(join(library.folder, file), "utf8");
      const [, vendor] = VENDOR.exec(text) ?? [];
      if (vendor !== undefined)
        findings.push({ path: library.source, message: `the declarations in ${file} mention '${vendor}'` });
    }
  }
  return findings;
}

async function compileUser({ folder, packages }: PackedInstallation): Promise<Finding[]> {
  const entries = packages.filter(({ group }) => group === "packages").flatMap(importEntries);
  const lines = entries.map(
    (entry, index) => `import * as entry${index} from "${entry}";\nexport { entry${index} };\n`,
  );
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  await writeFile(join(folder, "user.ts"), lines.join(""));
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files: ["user.ts"] }),
  );
  const output = await new Promise<string>((resolve) => {
    execFile("tsc", ["-p", folder, "--pretty", "false"], { cwd: folder }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
  // Errors inside of other people's declarations are theirs.
  const ours = output
    .split("\n")
    .filter(
      (line) =>
        /error TS/.test(line) &&
        !/node_modules\/(?!@soar\/)[^:]*\(\d/.test(
          line.replaceAll(/node_modules\/@soar\/[^/]+\/(?!node_modules)/g, ""),
        ),
    );
  return ours.map((line) => ({ path: "packages", message: line.trim() }));
}
