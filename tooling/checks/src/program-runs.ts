import type { Check } from "./check.ts";

/** Who starts programs by himself, and why. */
const ALLOWED: Readonly<Record<string, string>> = {
  "packages/programs/src/spawn-group.ts": "this is the one place",
  "packages/programs/src/spawned-program.ts": "types of what the one place gives",
  "packages/app-kit/src/options/env-file.ts":
    "asks getent at start-up, before anything can be waited for, and with a limit",
};

/** Programs are run by `@soar/programs`, which knows what to do with those that hang, do not listen or print without end. */
export const programRuns: Check = {
  name: "programs are run in one way",
  find: ({ packages, files }) =>
    packages
      .filter(({ group }) => group !== "tooling")
      .flatMap(({ modules }) => modules.filter(({ isTest, path }) => !isTest && ALLOWED[path] === undefined))
      .flatMap(({ path }) => {
        const line = (files.get(path) ?? "")
          .split("\n")
          .findIndex((text) => /["'](?:node:)?child_process["']/.test(text));
        return line === -1
          ? []
          : [
              {
                path,
                line: line + 1,
                message: "run programs with runProgram, startProgram or launchProgram of @soar/programs",
              },
            ];
      }),
};
