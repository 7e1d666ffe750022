import { SoarError } from "@soar/errors";
import { expect, test } from "vitest";
import { describeFreed, oldVersionsOf } from "./old-versions.ts";

const rule = (changes: object) => ({
  id: "1",
  isEnabled: true,
  prefix: "",
  isNarrower: false,
  expiresAfterDays: undefined,
  expiresAt: undefined,
  removesDeleteMarkers: false,
  removesNoncurrentAfterDays: 7,
  abortsUploadsAfterDays: undefined,
  transitions: [],
  ...changes,
});
const saying = (versioning: "on" | "off" | "suspended", rules: readonly object[]) =>
  describeFreed(
    2 ** 20,
    oldVersionsOf({ versioning: { value: versioning }, lifecycle: { value: rules.map(rule) } }, "one/main"),
  );

test("what expiry removes becomes free at once only where the bucket keeps no versions", () => {
  expect(saying("off", [{}])).toBe("1 MiB become free.");
  expect(saying("on", [])).toMatch(/nothing becomes free: the bucket keeps them as old versions/);
  expect(saying("suspended", [])).toMatch(/nothing becomes free/);
});

test("a rule of the bucket that removes old versions of the whole repository tells when", () => {
  expect(saying("on", [{}, { removesNoncurrentAfterDays: 3, prefix: "one/" }])).toMatch(/become free 3 days later/);
  for (const useless of [{ isEnabled: false }, { isNarrower: true }, { prefix: "one/main/wal/" }, { prefix: "two" }])
    expect(saying("on", [useless]), JSON.stringify(useless)).toMatch(/nothing becomes free/);
});

test("where the provider does not tell, nothing is promised", () => {
  const error = new SoarError("STORE_DENIED", "unable to see whether the bucket keeps versions: denied");
  expect(describeFreed(1, oldVersionsOf({ versioning: { error }, lifecycle: { error } }, ""))).toMatch(
    /whether they become free is not known: unable to see/,
  );
  expect(oldVersionsOf({ versioning: { value: "on" }, lifecycle: { error } }, "")).toMatchObject({ kind: "unknown" });
});
