import {
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requires } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ObjectStore } from "../../object-store.ts";
import { createFileStore } from "./file-store.ts";

const THEIRS = { uid: 65534, gid: 65533 };
const BODY = Buffer.from("bytes");

let root: string;
let directory: string;
let outside: string;
let store: ObjectStore;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-file-root-"));
  [directory, outside] = [join(root, "repository"), join(root, "outside")];
  for (const path of [directory, outside]) mkdirSync(path);
  writeFileSync(join(outside, "victim"), "untouched");
  if (process.geteuid?.() === 0) chownSync(directory, THEIRS.uid, THEIRS.gid);
  store = createFileStore({ directory });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function everything(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: "utf8" }).map((name) => join(path, name));
}

describe("root, in a repository of another user,", requires("root"), () => {
  test("leaves nothing that locks that user out: a lease, a backup, an upload that was not finished", async () => {
    await store.put("config/leases/1.json", BODY, { ifAbsent: true });
    await store.put("config/leases/1.json", BODY);
    const upload = await store.beginMultipart("base/label/base.tar", { partSize: 5 });
    await upload.putPart(1, BODY);
    await (await store.beginMultipart("base/other", { partSize: 5 })).putPart(1, BODY);
    await upload.complete();
    const made = everything(directory);
    expect(made).toContain(join(directory, "config", "leases", "1.json"));
    expect(made).toContain(join(directory, "base", "label", "base.tar"));
    for (const path of made) expect(owner(path), path).toEqual(THEIRS);
  });

  test("is led nowhere by links of that user: in the place of a directory, and of its own", async () => {
    for (const name of ["config", ".soar-store"]) {
      symlinkSync(outside, join(directory, name));
      lchownSync(join(directory, name), THEIRS.uid, THEIRS.gid);
    }
    const refused = { message: expect.stringContaining("is a symbolic link of user 65534") as string };
    await expect(store.put("config/leases/1.json", BODY)).rejects.toMatchObject(refused);
    await expect(store.beginMultipart("x", { partSize: 5 })).rejects.toMatchObject(refused);
    await expect(store.remove(["config/victim"])).rejects.toMatchObject(refused);
    expect(readdirSync(outside)).toEqual(["victim"]);
  });

  test("goes where links lead that root has made, or that lead to what is that user's", async () => {
    mkdirSync(join(root, "disk"));
    chownSync(join(root, "disk"), THEIRS.uid, THEIRS.gid);
    symlinkSync(join(root, "disk"), join(directory, "wal"));
    await store.put("wal/1", BODY);
    expect(owner(join(root, "disk", "1"))).toEqual(THEIRS);
    await store.remove(["wal/1"]);
    expect(readdirSync(join(root, "disk"))).toEqual([]);
  });
});

function owner(path: string): unknown {
  const { uid, gid } = lstatSync(path);
  return { uid, gid };
}
