import { expect, test } from "vitest";
import { digestsOf } from "./local-digest.ts";

const segment = (name: string) => ({ name, key: name, size: 1 });

test("digests of an earlier run are those of the files that recovery was given from this machine", () => {
  const segments = [
    segment("a"),
    { ...segment("b"), local: { file: "/old/b", sha256: "12" } },
    { ...segment("c"), local: { file: "/old/c", sha256: "" } },
  ];
  expect(digestsOf({ segments })).toEqual(new Map([["b", "12"]]));
  expect(digestsOf(undefined)).toEqual(new Map());
});
