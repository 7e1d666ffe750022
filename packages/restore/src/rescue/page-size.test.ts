import { expect, test } from "vitest";
import { pageSizeOf } from "./page-size.ts";

const recordWith = (settings: Record<string, string>) => ({ label: "2025-01-05", settings });

test.each([
  [{}, 8192],
  [{ block_size: "8192" }, 8192],
  [{ block_size: "1024" }, 1024],
  [{ block_size: "32768" }, 32_768],
])("a backup with the settings %j has pages of %d bytes", (settings, bytes) => {
  expect(pageSizeOf(recordWith(settings))).toBe(bytes);
});

test.each(["0", "-8192", "1", "8191", "65536", "", "x", "8192.0", "8192 "])(
  "a record that says pages of '%s' bytes is damaged",
  (text) => {
    expect(() => pageSizeOf(recordWith({ block_size: text }))).toThrow(
      `the record of backup '2025-01-05' is damaged: no PostgreSQL has pages of '${text}' bytes`,
    );
  },
);
