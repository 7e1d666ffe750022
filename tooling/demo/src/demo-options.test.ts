import { expect, test } from "vitest";
import { OptionProblem, readDemoOptions } from "./demo-options.ts";

test("more than 500 MB, and the second before the accident, unless something else is said", () => {
  expect(readDemoOptions({})).toEqual({ megabytes: 540, target: "before" });
  expect(readDemoOptions({ SOAR_DEMO_MEGABYTES: "30", SOAR_DEMO_TARGET: "accident" })).toEqual({
    megabytes: 30,
    target: "accident",
  });
});

test.each([
  { SOAR_DEMO_MEGABYTES: "" },
  { SOAR_DEMO_MEGABYTES: "9" },
  { SOAR_DEMO_MEGABYTES: "1e3" },
  { SOAR_DEMO_MEGABYTES: "-30" },
  { SOAR_DEMO_TARGET: "after" },
])("%o is refused", (environment) => {
  expect(() => readDemoOptions(environment)).toThrow(OptionProblem);
});

test("words of the command line are refused, and what can be set is named", () => {
  expect(() => readDemoOptions({}, ["--nonsense"])).toThrow(/'--nonsense' is no option .* SOAR_DEMO_MEGABYTES/);
});
