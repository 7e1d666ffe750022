import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BackupRecord } from "@soar/repository";
import { afterEach, beforeEach, expect, test } from "vitest";
import { placeTablespaces } from "./tablespaces.ts";

let root: string;
let old: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-tablespaces-"));
  old = join(root, "old");
});
afterEach(() => rmSync(root, { recursive: true }));

const place = (map: Record<string, string> = {}, tablespaces = [{ oid: 16_420, location: old }]) =>
  placeTablespaces({ tablespaces } as unknown as BackupRecord, new Map(Object.entries(map)));

test("a tablespace goes to its old place when that is free, or to the place that is named", async () => {
  expect(await place()).toEqual(new Map([[16_420, old]]));
  mkdirSync(old);
  expect(await place()).toEqual(new Map([[16_420, old]]));
  expect(await place({ [old]: join(root, "new") })).toEqual(new Map([[16_420, join(root, "new")]]));
});

test("a place in use is refused, because recovery would overwrite a living cluster's tablespace, and another one is offered", async () => {
  mkdirSync(join(old, "PG_15_202209061"), { recursive: true });
  await expect(place()).rejects.toMatchObject({
    code: "DIRECTORY_NOT_EMPTY",
    hint: expect.stringContaining(`--tablespace-map '${old}=/new/directory'`),
  });
  expect(await place({ [old]: join(root, "new") })).toEqual(new Map([[16_420, join(root, "new")]]));
  mkdirSync(join(root, "new"));
  writeFileSync(join(root, "new", "file"), "");
  await expect(place({ [old]: join(root, "new") })).rejects.toMatchObject({ code: "DIRECTORY_NOT_EMPTY" });
});

test("a map that fits no tablespace, or leads nowhere absolute, is refused", async () => {
  await expect(place({ "/elsewhere": "/new" })).rejects.toMatchObject({
    code: "USAGE",
    hint: `It has: 16420 in ${old}.`,
  });
  await expect(place({ "/elsewhere": "/new" }, [])).rejects.toMatchObject({
    code: "USAGE",
    hint: "It has no extra tablespaces at all.",
  });
  await expect(place({ [old]: "new" })).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("not absolute"),
  });
});

test("two tablespaces never share a place, nor lie in one another", async () => {
  const two = [
    { oid: 1, location: old },
    { oid: 2, location: join(root, "second") },
  ];
  await expect(
    place({ [old]: join(root, "new"), [join(root, "second")]: join(root, "new") }, two),
  ).rejects.toMatchObject({ code: "USAGE", message: expect.stringContaining("share") });
  await expect(
    place({ [old]: join(root, "new"), [join(root, "second")]: join(root, "new", "inner") }, two),
  ).rejects.toMatchObject({ code: "USAGE" });
});

test("a place that is no UTF-8 is refused, and another one can be given by the OID of the tablespace", async () => {
  const odd = [{ oid: 16_420, name: "fast", location: join(root, "caf\udce9") }];
  await expect(place({}, odd)).rejects.toMatchObject({
    code: "SERVER_UNSUITABLE",
    hint: expect.stringContaining("--tablespace-map 16420=/new/directory"),
  });
  const elsewhere = join(root, "elsewhere");
  expect(await place({ "16420": elsewhere }, odd)).toEqual(new Map([[16_420, elsewhere]]));
});
