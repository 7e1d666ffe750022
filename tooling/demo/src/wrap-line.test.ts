import { expect, test } from "vitest";
import { wrapLine } from "./wrap-line.ts";

const wrap = (text: string, isCommand = false) => wrapLine(text, { width: 12, indent: " ", hanging: "  ", isCommand });

test("breaks at blanks, and indents what follows", () => {
  expect(wrap("one two three four")).toEqual([" one two", "   three", "   four"]);
});

test("keeps blanks inside of a line and in front of it", () => {
  expect(wrap("  a:    b")).toEqual(["   a:    b"]);
});

test("leaves a word whole that is longer than a line", () => {
  expect(wrap("at /a/very/long/path now")).toEqual([" at", "   /a/very/long/path", "   now"]);
});

test("an empty line is a line", () => {
  expect(wrap("")).toEqual([" "]);
});

test("a command can be copied: quoted words stay whole, and lines go on behind a backslash", () => {
  expect(wrap("$ rm 'a b' 'it'\\''s c' d", true)).toEqual([" $ rm \\", "   'a b' \\", "   'it'\\''s c' \\", "   d"]);
  expect(wrap("$ rm a b c d", true)).toEqual([" $ rm a b \\", "   c d"]);
});
