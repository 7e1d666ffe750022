import type { Check } from "./check.ts";

/** A test that cannot look does not pass: one that ends early is counted as passed, one that is skipped by hand is forgotten. */
export const testShape: Check = {
  name: "shape of tests",
  find: ({ packages }) =>
    packages
      .flatMap(({ modules }) => modules)
      .flatMap(({ path, earlyReturns, handSkips }) => [
        ...earlyReturns.map((line) => ({
          path,
          line,
          message: "a test that returns early passes without having looked: name what it needs with `requires`",
        })),
        ...handSkips.map((line) => ({
          path,
          line,
          message: "a test is left out by what it `requires` of the machine, and by nothing else",
        })),
      ]),
};
