import { describe, expect, test } from "vitest";
import { backupOptions } from "./backup-options.ts";
import { baseOptions } from "./base-options.ts";
import { confirmOptions } from "./confirm.ts";
import { defaultText, type OptionTable } from "./option-table.ts";
import { parseOptionValue } from "./option-value.ts";
import { postgresOptions } from "./postgres-options.ts";
import { storageOptions } from "./storage-options.ts";

const tables: Record<string, OptionTable> = {
  storageOptions,
  postgresOptions,
  backupOptions,
  confirmOptions,
  baseOptions,
};

describe.each(Object.entries(tables))("%s", (_, table) => {
  const rows = Object.entries(table);

  test("defaults and examples can be read", () => {
    for (const [, row] of rows) {
      const texts = [defaultText(row), row.example].filter((text) => text !== undefined && text !== "");
      for (const text of texts) expect(() => parseOptionValue(row, text ?? "")).not.toThrow();
    }
  });

  test("help is a sentence, and secrets have no flag", () => {
    for (const [name, row] of rows) {
      expect([name, row.help]).toEqual([name, expect.stringMatching(/^[A-Z].*\.$/)]);
      if (row.secret === true) expect([name, row.flag]).toEqual([name, false]);
    }
  });
});

test("no flag and no variable is used twice", () => {
  const rows = Object.values(tables).flatMap((table) => Object.entries(table));
  const variables = rows.flatMap(([, { env }]) => (env === undefined ? [] : [env]));
  for (const names of [rows.map(([name]) => name), variables]) expect(names.length).toBe(new Set(names).size);
});
