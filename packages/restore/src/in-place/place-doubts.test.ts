import { sampleRecord } from "@soar-tooling/sample-repository";
import { expect, test } from "vitest";
import { findPlaceDoubts } from "./place-doubts.ts";

const { source } = sampleRecord({});
const [ID, OTHER] = ["a".repeat(32), "b".repeat(32)];

test.each([
  [
    "another machine of the same name",
    { host: "db1", machine: OTHER },
    /^this machine has the name .*'db1'.* another id/,
  ],
  [
    "the same machine under another name",
    { host: "db2", machine: ID },
    /^this machine has the id .*'db2' instead of 'db1'/,
  ],
  ["the same machine", { host: "db1", machine: ID }, undefined],
  ["another machine", { host: "db2", machine: OTHER }, undefined],
  ["a machine without an id, of the same name", { host: "db1" }, undefined],
  ["a machine without an id", { host: "db2" }, undefined],
])("of the place of a server the plan says what contradicts its name: %s", async (_, own, expected) => {
  const backup = { source: { ...source, host: "db1", machine: ID, dataDirectory: "/data" } };
  const doubts = await findPlaceDoubts(backup, "/data", own);
  expect(doubts).toEqual(expected === undefined ? [] : [expect.stringMatching(expected)]);
  expect(await findPlaceDoubts(backup, "/elsewhere", own)).toEqual([]);
  expect(await findPlaceDoubts({ source: { ...backup.source, machine: undefined } }, "/data", own)).toEqual([]);
});

test("this machine is known by its own id", async () => {
  const backup = { source: { ...source, host: "surely-not-its-name", machine: ID, dataDirectory: "/data" } };
  expect(await findPlaceDoubts(backup, "/data")).toEqual([]);
});
