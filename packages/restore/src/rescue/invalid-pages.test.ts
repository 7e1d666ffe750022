import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readInvalidPages } from "./invalid-pages.ts";

const directory = mkdtempSync(join(tmpdir(), "soar-invalid-pages-"));
const log = join(directory, "server.log");
afterAll(() => rmSync(directory, { recursive: true }));

const warning = (relation: string, fact: string) =>
  `2025-01-10 14:30:00.123 UTC [4711] WARNING:  page 7 of relation ${relation} ${fact}\n2025-01-10 14:30:00.123 UTC [4711] CONTEXT:  WAL redo at 0/5000028 for Heap2/VISIBLE\n`;

test("warnings about placeholders are counted, those about anything else are told by relation", async () => {
  writeFileSync(
    log,
    [
      "2025-01-10 14:30:00.100 UTC [4711] LOG:  redo starts at 0/4000028\n",
      warning("base/5/16385", "is uninitialized"),
      warning("base/5/16385_vm", "does not exist"),
      warning("base/16384/20000", "is uninitialized"),
      "2025-01-10 14:30:00.124 UTC [4711] WARNING:  WAL contains references to invalid pages\n",
    ].join(""),
  );
  expect(await readInvalidPages(log, new Set(["base/5/16385"]))).toEqual({ count: 3, relations: ["base/16384/20000"] });
  expect(await readInvalidPages(log, new Set(["base/5/16385", "base/16384/20000"]))).toEqual({
    count: 3,
    relations: [],
  });
});
