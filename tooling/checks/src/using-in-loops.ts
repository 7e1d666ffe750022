import type { Check } from "./check.ts";

/**
 * esbuild lowers `using` with variables of the whole function. In a loop they keep what an earlier round has thrown, and throw
 * it again at the end of a round that succeeded: in the built programs only, where no test of the sources sees it.
 */
export const usingInLoops: Check = {
  name: "nothing is used in a loop that goes on after a failure",
  find: ({ packages }) =>
    packages
      .filter(({ group }) => group !== "tooling")
      .flatMap(({ modules }) => modules)
      .flatMap(({ path, loopedUsings }) =>
        loopedUsings.map((line) => ({
          path,
          line,
          message:
            "`using` in a `try` of a loop: make a function of the block, because the bundle throws old failures again",
        })),
      ),
};
