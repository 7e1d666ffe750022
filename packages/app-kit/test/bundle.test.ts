import { expect, test } from "vitest";
import { runProgram, useFixtureBundle } from "./run-fixture.ts";

const fixture = useFixtureBundle();
const TRACE = { NODE_DEBUG: "esm" };

test("a command line without options loads neither yargs nor the storage package", async () => {
  const { stderr } = await runProgram(fixture.arguments(), ["destroy", "x"], TRACE);
  expect(stderr).toContain("fixture-app.mjs");
  expect(stderr).not.toMatch(/yargs-[A-Z0-9]+\.mjs|lazy-storage-[A-Z0-9]+\.mjs/);
  // The other way round, or the test would pass for a renamed chunk.
  expect((await runProgram(fixture.arguments(), ["destroy", "x", "--yes"], TRACE)).stderr).toMatch(
    /yargs-[A-Z0-9]+\.mjs/,
  );
});
