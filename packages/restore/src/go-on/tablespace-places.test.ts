import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findMovedTablespace } from "./tablespace-places.ts";

let root: string;
const link = (): string => join(root, "data/pg_tblspc/16384");
const find = (): Promise<string | undefined> =>
  findMovedTablespace({ dataDir: join(root, "data"), tablespaces: new Map([[16_384, join(root, "space")]]) });
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-places-"));
  for (const directory of ["data/pg_tblspc", "space", "copy"]) mkdirSync(join(root, directory), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

test("a tablespace that is where it was filled, also by way of other links", async () => {
  symlinkSync(join(root, "space"), join(root, "by-way"));
  symlinkSync(join(root, "by-way"), link());
  expect(await find()).toBeUndefined();
});

test("a server that was led to another directory uses files that nobody has looked at", async () => {
  symlinkSync(join(root, "copy"), link());
  expect(await find()).toBe(`pg_tblspc/16384 leads to '${join(root, "copy")}' and not to '${join(root, "space")}'`);
});

test("a link that is gone, or leads to nothing", async () => {
  expect(await find()).toBe("pg_tblspc/16384 leads to nothing");
  symlinkSync(join(root, "absent"), link());
  expect(await find()).toBe("pg_tblspc/16384 leads to nothing");
});
