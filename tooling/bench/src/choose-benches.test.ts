import { expect, test } from "vitest";
import { chooseBenches } from "./choose-benches.ts";

const chosen = (...args: string[]) => chooseBenches(args).map(({ name }) => name);

test("without a name everything is measured, and nothing is drawn", () => {
  expect(chosen()).toContain("performance");
  expect(chosen("--peers")).toEqual(chosen());
  expect(chosen()).not.toContain("plots");
});

test("names choose, and the options are those of the one bench that takes any", () => {
  expect(chooseBenches(["restore", "performance", "--sizes", "1,3", "--peers"])).toMatchObject([
    { name: "restore", args: [] },
    { name: "performance", args: ["--sizes", "1,3", "--peers"] },
  ]);
});

test("a name that is none is refused with those that are", () => {
  expect(() => chooseBenches(["restor"])).toThrow(/no bench 'restor'.*restore/);
});
