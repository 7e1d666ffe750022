import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runFixture, type Outcome } from "./run-fixture.ts";

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "soar-app-kit-bundle-"));
  await build({
    entryPoints: [fileURLToPath(new URL("fixture-app.ts", import.meta.url))],
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    conditions: ["soar-source"],
    outExtension: { ".js": ".mjs" },
    outdir: directory,
    logLevel: "error",
    // As in the bundles that are published.
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  });
});
afterAll(() => rmSync(directory, { recursive: true }));

const run = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Outcome> =>
  runFixture(args, { environment, program: ["--", path.join(directory, "fixture-app.mjs")] });

test("options and completion work in a bundle, where yargs has no files beside it", async () => {
  expect(await run(["--bukcet", "x"])).toMatchObject({ status: 64, stderr: expect.stringContaining("Did you mean '--bucket'?") });
  expect(await run(["destroy", "x", "--yes"])).toMatchObject({ status: 0, stdout: "removed\n" });
  expect(await run(["--get-yargs-completions", "fixture", "gap", "w"], { SHELL: "/bin/bash" })).toMatchObject({ status: 0, stdout: "wait\n" });
});

test("a command line without options loads neither yargs nor the storage package", async () => {
  const { stderr } = await run(["destroy", "x"], { NODE_DEBUG: "esm" });
  expect(stderr).toContain("fixture-app.mjs");
  expect(stderr).not.toMatch(/yargs-[A-Z0-9]+\.mjs|lazy-storage-[A-Z0-9]+\.mjs/);
  // The other way round, or the test would pass for a renamed chunk.
  expect((await run(["destroy", "x", "--yes"], { NODE_DEBUG: "esm" })).stderr).toMatch(/yargs-[A-Z0-9]+\.mjs/);
});
