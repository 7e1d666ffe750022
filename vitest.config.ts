import { defineConfig } from "vitest/config";
import { POSTGRES_NEEDS } from "./tooling/postgres-clusters/src/postgres/postgres-needs.ts";
import { COVERED_PACKAGES } from "./tooling/run/src/covered-packages.ts";
import { LongestFirst } from "./tooling/run/src/longest-first.ts";
import { memoryDirectory } from "./tooling/run/src/memory-directory.ts";

import { MACHINE_NEEDS } from "./tooling/test-bench/src/needs/machine-needs.ts";
import { tagsOfNeeds } from "./tooling/test-bench/src/needs/requires.ts";

/** They start servers and programs and wait for them, so they run after all others, and only two files at a time however many cores there are. */
const SERVERS = [
  "{packages,apps,tooling}/*/{src,test}/**/*.integration.test.ts",
  "tooling/e2e/{src,test}/**/*.test.ts",
];

const inMemory = memoryDirectory();

export default defineConfig({
  resolve: { conditions: ["soar-source", "node"] },
  ssr: { resolve: { conditions: ["soar-source", "node"] } },
  test: {
    // Workers and child processes that tests start from source resolve workspace packages to their sources too.
    // V8 of Node 24.21 sometimes ends a process when a background job of its second WebAssembly compiler lets go of a module, for
    // example the one with which Node itself reads CommonJS modules (seen: ThreadIsolation::UnregisterWasmAllocation, SIGTRAP).
    execArgv: ["--conditions=soar-source", "--liftoff-only"],
    pool: "forks",
    allowOnly: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // What this machine lacks is found once, and the tests that need it are skipped by name.
    tags: tagsOfNeeds([...MACHINE_NEEDS, ...POSTGRES_NEEDS]),
    slowTestThreshold: 5_000,
    sequence: { sequencer: LongestFirst },
    coverage: {
      provider: "v8",
      include: COVERED_PACKAGES.map((name) => `packages/${name}/src/**/*.ts`),
      exclude: ["**/*.test.ts", "**/*.fixture.ts"],
      reporter: [["text", { skipFull: true }], "json"],
      reportsDirectory: ".soar/coverage",
      thresholds: { branches: 100 },
    },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{packages,apps,tooling}/*/test/**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**", ...SERVERS],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          // Beside the module that they are about. A new process and a new graph of modules for each of these many small files took
          // a third of their processor time: they leave nothing in a module, or in the process, that the next one would see.
          name: "modules",
          include: ["{packages,apps,tooling}/*/src/**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**", ...SERVERS],
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "servers",
          include: SERVERS,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          env: inMemory === undefined ? {} : { TMPDIR: inMemory },
        },
      },
    ],
  },
});
