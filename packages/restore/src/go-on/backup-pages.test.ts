import { createMemoryStore } from "@soar/storage";
import { putSampleBackup, SAMPLE_TABLESPACE } from "@soar-tooling/sample-repository";
import { expect, test } from "vitest";
import { BackupPages } from "./backup-pages.ts";

test("a backup has a database wherever it has files of it, with a PG_VERSION or without", async () => {
  const store = createMemoryStore();
  const backup = await putSampleBackup(store, { label: "2025-02-01", first: 1 });
  await using pages = new BackupPages(store, backup, {});
  const tablespace = `pg_tblspc/${SAMPLE_TABLESPACE}/PG_15_202209061`;
  for (const [name, isThere] of [
    ["base/5/16999", true],
    ["global/1260", true],
    [`${tablespace}/5/16999`, true],
    ["base/6/16999", false],
    [`${tablespace}/6/16999`, false],
    ["pg_tblspc/99/PG_15_202209061/5/16999", false],
  ] as const)
    expect(await pages.hasDatabaseOf(name), name).toBe(isThere);
});

test("places of files grow in the order in which the backup has them, and what it lacks has none", async () => {
  const store = createMemoryStore();
  const more = Object.fromEntries(["base/5/3", "base/5/1", "base/5/2"].map((name) => [name, Buffer.alloc(8192, name)]));
  const backup = await putSampleBackup(store, { label: "2025-02-01", first: 1, more });
  await using pages = new BackupPages(store, backup, {});
  const places = [];
  for (const name of ["base/5/3", "base/5/1", "base/5/2"]) places.push(await pages.placeOf(name));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places.every(Number.isFinite)).toBe(true);
  expect(await pages.placeOf("base/5/4")).toBe(Infinity);
});
