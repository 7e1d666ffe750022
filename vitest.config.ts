import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["soar-source", "node"] },
  ssr: { resolve: { conditions: ["soar-source", "node"] } },
  test: {
    include: ["{packages,apps,tooling}/*/{src,test}/**/*.test.ts"],
    // Workers and child processes that tests start from source resolve workspace packages to their sources too.
    execArgv: ["--conditions=soar-source"],
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
