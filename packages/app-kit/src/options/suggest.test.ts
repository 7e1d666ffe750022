import { expect, test } from "vitest";
import { didYouMean, suggest } from "./suggest.ts";

const FLAGS = ["--bucket", "--base-backup", "--latest", "--target-time", "--target-timeline", "--yes"];

test.each([
  ["--bukcet", "--bucket"],
  ["--latset", "--latest"],
  ["--target_time", "--target-time"],
  ["--YES", "--yes"],
  ["--target-timelin", "--target-timeline"],
  ["--base", "--base-backup"],
  ["--colour", undefined],
  ["-x", undefined],
])("%s means %s", (typed, meant) => {
  expect(suggest(typed, FLAGS)).toBe(meant);
});

test("without a guess only the other sentence is said", () => {
  expect(didYouMean("--colour", FLAGS, "See --help.")).toBe("See --help.");
  expect(didYouMean("--buket", FLAGS, "See --help.")).toBe("Did you mean '--bucket'? See --help.");
});
