import { expect, test } from "vitest";
import { createOutput } from "./output.ts";

function printed(isJson: boolean, json: unknown): string {
  let text = "";
  createOutput({ write: (chunk) => (text += chunk) }, { isJson }).report({
    json,
    text: () => "for people, AKIAIOSFODNN7EXAMPLE",
  });
  return text;
}

test("text for people, JSON for programs", () => {
  expect(printed(false, {})).toBe("for people, [hidden]\n");
  expect(JSON.parse(printed(true, { lsn: 2n ** 60n, at: new Date(0), none: undefined }))).toEqual({
    lsn: "1152921504606846976",
    at: "1970-01-01T00:00:00.000Z",
  });
});

test("JSON stays JSON when a secret is removed from it", () => {
  expect(JSON.parse(printed(true, { password: "abc", url: "https://u:pass@host/" }))).toEqual({
    password: "abc",
    url: "https://u:[hidden]@host/",
  });
});

test("JSON is not obeyed by a terminal", () => {
  const text = printed(true, { declaredBy: "dba\u009b2J\u202e" });
  expect(text).toContain(String.raw`"dba\u009b2J\u202e"`);
  expect(JSON.parse(text)).toEqual({ declaredBy: "dba\u009b2J\u202e" });
});

test("output for programs is never cut to the width of a terminal", () => {
  expect(createOutput({ write: () => true }, { isJson: false }).width).toBe(Infinity);
  expect(createOutput({ write: () => true, isTTY: true, columns: 100 }, { isJson: false }).width).toBe(100);
});
