import type { CheckedRestore } from "@soar/restore";
import type { RestorePlan } from "@soar/restore/plan";
import { sampleRecord } from "@soar-tooling/sample-repository";
import { expect, test } from "vitest";
import { formatPlan } from "./format-plan.ts";
import type { Prepared } from "./prepare.ts";

const plan = {
  location: "file:///backup",
  target: { kind: "latest" },
  backup: sampleRecord({}),
  resolved: { stopLsn: 0n },
  chain: { history: { timeline: 1 }, segments: [] },
  localHistories: [],
  fetchBytes: { backup: 0, wal: 0 },
  minimums: {},
  passedOver: [],
  warnings: [],
} as unknown as RestorePlan;
const earlier = { phase: "recover", action: "pause" };
const common = {
  control: { kind: "pg_ctl" },
  configuration: [],
  missingHere: [],
  placeDoubts: [],
  linksThere: [],
  inPlace: true,
};

interface Case {
  readonly approach: object;
  readonly action?: Prepared["action"];
  readonly canControlServices?: boolean;
}

function services({ approach, action = "promote", canControlServices = true }: Case): string[] {
  const checked = { ...common, approach, canControlServices } as unknown as CheckedRestore;
  const prepared = {
    plan,
    checked,
    action,
    dataDir: "/d",
    namedDir: "/d",
    appServices: ["a", "b"],
    config: { differences: [], leftOut: [] },
    checks: [],
  };
  return formatPlan(prepared as unknown as Prepared)
    .split("\n")
    .filter((line) => line.includes("a, b"))
    .map((line) => line.replace(/: +/, ": "));
}

const REPLACE = { kind: "replace", systemIdentifier: "7", running: 1 };

test.each<[string, Case, readonly string[]]>([
  ["a restore", { approach: REPLACE }, ["stops: a, b, started again when the server was proved"]],
  [
    "one whose server pauses",
    { approach: REPLACE, action: "pause" },
    ["stops: a, b, which stay so until the restore is finished"],
  ],
  [
    "one without systemd",
    { approach: REPLACE, canControlServices: false },
    ["do first: stop the applications, because systemd does not run here: a, b"],
  ],
  [
    "one that only finishes what an earlier one began",
    { approach: { kind: "finish", earlier } },
    ["starts: a, b, when the server was proved"],
  ],
  ["one that watches a server which is going to pause", { approach: { kind: "follow", earlier } }, []],
])("the plan says what happens to the applications: %s", (_, given, expected) => {
  expect(services(given)).toEqual(expected);
});
