import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { quoteForShell } from "./quote-for-shell.ts";

test("plain words stay as they are, others are quoted", () => {
  expect(quoteForShell("/tmp/soar-pg-1/backup-env")).toBe("/tmp/soar-pg-1/backup-env");
  expect(quoteForShell("--at=2025-01-02T03:04:05+01:00")).toBe("--at=2025-01-02T03:04:05+01:00");
  expect(quoteForShell("/tmp/it's here/x")).toBe(String.raw`'/tmp/it'\''s here/x'`);
  expect(quoteForShell("")).toBe("''");
});

test("a shell takes every word for what it was", () => {
  const word = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom("'", '"', "\\", "$", "`", "\n", "*", "~", "#", "a", " ") }),
  );
  const words = fc.array(
    word.map((text) => text.replaceAll("\0", "").toWellFormed()),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(
    fc.property(words, (given) => {
      const script = `printf '%s\\0' ${given.map(quoteForShell).join(" ")}`;
      const seen = execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" });
      expect(seen.split("\0").slice(0, -1)).toEqual(given);
    }),
    { numRuns: 50 },
  );
});
