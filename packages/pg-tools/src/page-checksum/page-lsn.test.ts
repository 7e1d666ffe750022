import { expect, test } from "vitest";
import { pageLsn } from "./page-lsn.ts";

test("the position that a page names", () => {
  const page = Buffer.alloc(8192);
  page.writeUInt32LE(0x1, 0);
  page.writeUInt32LE(0x2000, 4);
  expect(pageLsn(page)).toBe(0x1_0000_2000n);
});
