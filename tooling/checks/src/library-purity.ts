import type { Check } from "./check.ts";

/** The packages that talk to the process they run in. */
const MAY_TOUCH_PROCESS = new Set(["@soar/app-kit"]);

/** Libraries never read the environment or argv, never exit, never write to a stream that they did not open. */
export const libraryPurity: Check = {
  name: "libraries leave the process alone",
  find: ({ packages }) =>
    packages
      .filter(({ group, name }) => group === "packages" && !MAY_TOUCH_PROCESS.has(name))
      .flatMap(({ modules }) => modules.filter(({ isTest }) => !isTest))
      .flatMap(({ path, processUses }) =>
        processUses.map(({ what, line }) => ({
          path,
          line,
          message: `${what} in a library: take a value, a signal or onEvent instead`,
        })),
      ),
};
