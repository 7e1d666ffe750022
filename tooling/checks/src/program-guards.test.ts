import { formatGuard } from "@soar-tooling/release";
import { expect, test } from "vitest";
import { programGuards } from "./program-guards.ts";
import { sampleWorkspace } from "./sample-workspace.fixture.ts";

const PATH = "apps/base-backup/bin/soar-base-backup.js";
const find = (text: string) => programGuards.find(sampleWorkspace({ [PATH]: text }));

test("a guard as its template has it is accepted", () => {
  expect(find(formatGuard("soar-base-backup"))).toEqual([]);
});

test.each([
  ["another status", formatGuard("soar-base-backup").replace("= 70", "= 126")],
  ["another program's guard", formatGuard("soar-restore")],
  ["nothing", ""],
])("%s is refused", (_what, text) => {
  expect(find(text)).toEqual([
    {
      path: PATH,
      message: "differs from its template in tooling/release/src/program-guard.ts: run `pnpm check --write`",
    },
  ]);
});
