import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { holdTree, type ReadableTree } from "@soar/durable-files/reading";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { listDataDirectory, listTablespace, type ContentEntry } from "./list-contents.ts";

/** The contents of a real server's directory are compared with what the server sends in `@soar/backup` (files.integration.test.ts). */
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-contents-"));
  chmodSync(root, 0o750);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** One that is not held open, so that it may not be there. */
const tree = (...below: readonly string[]): ReadableTree => ({
  path: join(root, ...below),
  descriptor: undefined,
  reader: undefined,
});

function put(path: string, content = "x"): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), content);
}

async function namesOf(entries: AsyncIterable<ContentEntry>): Promise<string[]> {
  return (await Array.fromAsync(entries)).map(
    ({ path, type }) => `${path.toString("latin1")}${type === "file" ? "" : "/"}`,
  );
}

describe("a data directory", () => {
  test.each<[string, string[], string[]]>([
    [
      "what a server makes anew",
      ["postmaster.pid", "postmaster.opts", "base/pgsql_tmp/1", "global/pg_internal.init.7"],
      ["base/", "global/"],
    ],
    [
      "what belongs to another backup",
      ["backup_label", "tablespace_map", "backup_manifest", "PG_VERSION"],
      ["PG_VERSION"],
    ],
    ["pg_control, which comes last", ["global/pg_control", "global/1262"], ["global/", "global/1262"]],
    [
      "what is emptied, at every depth",
      ["pg_replslot/a/state", "odd/pg_notify/0"],
      ["odd/", "odd/pg_notify/", "pg_replslot/"],
    ],
    ["links of tablespaces", ["pg_tblspc/1/PG_15_202209061/5/1"], ["pg_tblspc/"]],
    [
      "temporary relations, in databases only",
      ["base/5/t3_16384", "base/5/t3_16384_fsm.1", "odd/5/t3_16384"],
      ["base/", "base/5/", "odd/", "odd/5/", "odd/5/t3_16384"],
    ],
    [
      "all of an unlogged relation but its init fork",
      ["base/5/20", "base/5/20.1", "base/5/20_fsm", "base/5/20_init", "base/5/21", "base/5/pg_filenode.map"],
      ["base/", "base/5/", "base/5/20_init", "base/5/21", "base/5/pg_filenode.map"],
    ],
  ])("leaves out %s", async (_what, paths, listed) => {
    for (const path of paths) put(path);
    expect(await namesOf(listDataDirectory(tree(), { major: 15 }))).toEqual(listed);
  });

  test.each([
    [16, ["pg_wal/", "pg_wal/archive_status/"]],
    [17, ["pg_wal/", "pg_wal/archive_status/", "pg_wal/summaries/"]],
  ] as const)("has the directories of WAL of version %i, also where pg_wal is a link", async (major, expected) => {
    put("pg_wal/000000010000000000000001");
    chmodSync(join(root, "pg_wal"), 0o700);
    const plain = await Array.fromAsync(listDataDirectory(tree(), { major }));
    expect(plain.map(({ path, mode }) => [`${path.toString()}/`, mode])).toEqual(expected.map((path) => [path, 0o700]));
    rmSync(join(root, "pg_wal"), { recursive: true });
    symlinkSync("/somewhere/else", join(root, "pg_wal"));
    const linked = await Array.fromAsync(listDataDirectory(tree(), { major }));
    expect(linked.map(({ path, type, mode }) => [`${path.toString()}/`, type, mode])).toEqual(
      expected.map((path) => [path, "directory", 0o750]),
    );
  });

  test("tells of links and the like, which are not in the backup, and keeps names that are no UTF-8", async () => {
    symlinkSync("/etc/hostname", join(root, "link"));
    writeFileSync(Buffer.from(join(root, "caf\xe9"), "latin1"), "abc");
    const special: string[] = [];
    const onSpecial = (path: Buffer): void => void special.push(path.toString());
    const [entry, ...others] = await Array.fromAsync(listDataDirectory(tree(), { major: 15, onSpecial }));
    expect([special, others]).toEqual([["link"], []]);
    expect(entry).toMatchObject({ type: "file", size: 3, path: Buffer.from("caf\xe9", "latin1") });
    expect(await namesOf(listDataDirectory(tree(), { major: 15 }))).toEqual(["caf\xe9"]);
  });

  test("leaves tablespaces that lie in it to their own archives", async () => {
    put("spaces/extra/PG_15_202209061/5/1");
    put("spaces/other");
    expect(await namesOf(listDataDirectory(tree(), { major: 15, inside: ["spaces/extra"] }))).toEqual([
      "spaces/",
      "spaces/extra/",
      "spaces/other",
    ]);
  });

  test("goes on when something vanishes meanwhile, and lists more than it looks at once", async () => {
    for (let number = 1; number <= 200; number++) put(`base/5/${number}`);
    put("base/6/1");
    const entries = listDataDirectory(tree(), { major: 15 });
    const first: string[] = [];
    for await (const { path } of entries) {
      first.push(path.toString());
      if (path.toString() === "base/5") rmSync(join(root, "base/6"), { recursive: true });
      if (path.toString() === "base/5/1") rmSync(join(root, "base/5/99"));
    }
    expect(first).toHaveLength(202);
    expect(first.at(-1)).toBe("base/6");
  });

  test("that cannot be read is an error, and not empty", async () => {
    put("base/5");
    await expect(namesOf(listDataDirectory(tree("base/5"), { major: 15 }))).resolves.toEqual([]);
    symlinkSync("loop", join(root, "loop"));
    await expect(namesOf(listDataDirectory(tree("loop"), { major: 15 }))).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
    });
  });
});

test("a directory that is held open is listed through real directories only, however deep", async () => {
  put("base/5/1");
  put("outside/1");
  await using held = await holdTree(root);
  const seen: string[] = [];
  const listing = (async () => {
    for await (const { path } of listDataDirectory(held, { major: 15 })) {
      seen.push(path.toString());
      if (path.toString() !== "base/5") continue;
      rmSync(join(root, "base/5"), { recursive: true });
      symlinkSync("../outside", join(root, "base/5"));
    }
  })();
  await expect(listing).rejects.toMatchObject({
    code: "FILE_UNREADABLE",
    message: expect.stringContaining("exchanged for a symbolic link") as string,
  });
  expect(seen).toEqual(["base", "base/5"]);
});

describe("a tablespace", () => {
  test("is the directory of this version in it", async () => {
    put("PG_15_202209061/5/20");
    put("PG_15_202209061/5/20_init");
    put("PG_15_202209061/pgsql_tmp/1");
    put("PG_18_202506291/5/1");
    expect(await namesOf(listTablespace(tree(), { major: 15 }))).toEqual([
      "PG_15_202209061/",
      "PG_15_202209061/5/",
      "PG_15_202209061/5/20_init",
    ]);
  });

  test("without it holds nothing", async () => {
    expect(await namesOf(listTablespace(tree(), { major: 16 }))).toEqual([]);
  });
});
