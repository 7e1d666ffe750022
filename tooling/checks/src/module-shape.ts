import type { Check, Finding } from "./check.ts";
import type { Workspace } from "./workspace.ts";

/** Names that say how a file is used and not what it is about. */
const SHAPELESS = /(^|\/)(utils?|helpers?|common|core|types|misc|shared)(\.ts|\/)/;
const KEBAB_CASE =
  /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)(?:\.(?:test|bench|integration\.test|scripted\.test|fixture|config|d))?\.(?:ts|mts|mjs|js)$/;

/** `export *` hides what is public from every diff; an index file is a list of names and nothing else. */
export const moduleShape: Check = {
  name: "shape of modules",
  find: ({ packages }: Workspace) =>
    packages.flatMap(({ modules }) =>
      modules.flatMap((module): Finding[] => {
        const { path, starExports, statements, problems } = module;
        const findings: Finding[] = starExports.map((line) => ({
          path,
          line,
          message: "export * is banned: name what is public",
        }));
        for (const problem of problems) findings.push({ path, message: `unable to parse: ${problem}` });
        if (/^packages\/[^/]+\/src\/(?:[^/]+\/)?index\.ts$/.test(path) && statements > 0)
          findings.push({ path, message: "an index file only re-exports names" });
        if (SHAPELESS.test(path))
          findings.push({ path, message: "name the file after its one idea, not after its shape" });
        const name = path.split("/").at(-1) ?? "";
        if (!KEBAB_CASE.test(name)) findings.push({ path, message: "file names are kebab-case" });
        return findings;
      }),
    ),
};
