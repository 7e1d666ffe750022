import { expect, test } from "vitest";
import { parseOptions } from "./run-options.ts";

test("sizes are measured from the smallest on, and nothing else is measured beside unless it is asked for", () => {
  expect(parseOptions([])).toMatchObject({ gigabytes: [1, 3], withPeers: false, json: undefined });
  expect(parseOptions(["--sizes", "10,1,3", "--peers", "--pgbackrest", "/opt/p"])).toMatchObject({
    gigabytes: [1, 3, 10],
    withPeers: true,
    paths: { pgbackrest: "/opt/p" },
  });
});

test.each([
  [["--sizes", "1,,3"], /--sizes is ''/],
  [["--runs", "three"], /--runs is 'three'/],
  [["--segments", "-1"], /segments/],
  [["--peer"], /--peer/],
])("%j is refused with a word", (args, said) => {
  expect(() => parseOptions(args)).toThrow(said);
});
