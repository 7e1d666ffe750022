import {
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isRoot, type Owner } from "@soar/durable-files";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { linkWal } from "./fetch/wal-link.ts";
import { adoptClone, fenceClone } from "./recover/fence.ts";
import { putServerConfig } from "./server-config/config-difference.ts";
import { readKeptRecord, writeKeptRecord } from "./status/kept-record.ts";
import { readRestoreRecord, writeRestoreRecord, type RestoreRecord } from "./status/restore-record.ts";
import { createSpoolDirectory } from "./wal/spool/spool-directory.ts";

/** Whom the data directory belongs to: somebody else where the restore is root, as under sudo. */
const OWNER: Owner = isRoot()
  ? { uid: 65534, gid: 65534 }
  : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

let root: string;
let dataDir: string;
let outside: string;
let before: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-planted-"));
  [dataDir, outside] = [join(root, "data"), join(root, "outside")];
  for (const directory of [dataDir, outside, join(dataDir, "pg_wal"), join(dataDir, "pg_wal", "archive_status")])
    mkdirSync(directory);
  writeFileSync(join(dataDir, "pg_wal", "00000002.history"), "");
  writeFileSync(join(outside, "victim"), "untouched", { mode: 0o600 });
  for (const path of [dataDir, join(dataDir, "pg_wal"), join(dataDir, "pg_wal", "archive_status")])
    if (isRoot()) chownSync(path, OWNER.uid, OWNER.gid);
  before = describeOutside();
});
afterEach(() => rmSync(root, { recursive: true }));

function describeOutside(): string {
  return [".", ...readdirSync(outside)]
    .map((name) => {
      const { uid, gid, mode, size } = lstatSync(join(outside, name));
      return [name, uid, gid, mode, name === "." ? "" : size].join(" ");
    })
    .concat(readFileSync(join(outside, "victim"), "utf8"))
    .join("\n");
}

const record = { format: 1 } as unknown as RestoreRecord;
const CONFIG = { owner: OWNER, systemEnv: {}, now: new Date(0) };
const config = (): string => join(dataDir, "pg_hba.conf");
const kept = { format: 1, dataDir: "/x", keptAs: "/y", keptAt: "", systemIdentifier: undefined, moved: [] } as const;

/** Everything that a restore writes below the data directory of somebody else, and the name it writes to. */
const WRITERS: readonly (readonly [name: string, run: () => Promise<unknown>])[] = [
  ["soar-restore/restore.json", () => writeRestoreRecord(dataDir, record, OWNER)],
  ["soar-copy", () => fenceClone(dataDir)],
  ["pg_wal/archive_status/00000002.history.ready", () => adoptClone(dataDir)],
  ["soar-kept.json", () => writeKeptRecord(dataDir, kept)],
  [
    "pg_hba.conf",
    () => putServerConfig([{ path: config(), present: undefined, saved: Buffer.from("x"), isAccess: false }], CONFIG),
  ],
];

describe("what the owner of the data directory plants is not followed", () => {
  test.each(
    WRITERS.flatMap((writer) =>
      ["", ".soar-new", ".soar-tmp"].map((suffix) => [writer[0] + suffix, ...writer] as const),
    ),
  )("a link to a file, at %s", async (planted, name, run) => {
    mkdirSync(dirname(join(dataDir, planted)), { recursive: true });
    symlinkSync(join(outside, "victim"), join(dataDir, planted));
    // The mark of a history that has one is not written.
    const isMarked = planted.endsWith(".ready");
    await run();
    expect(describeOutside()).toBe(before);
    if (!isMarked)
      expect(lstatSync(join(dataDir, name))).toMatchObject({ ...OWNER, size: expect.any(Number) as number });
    if (!isMarked) expect(lstatSync(join(dataDir, name)).isFile()).toBe(true);
  });

  test.each(["postgresql.auto.conf", "soar-kept.json", "soar-restore/restore.json"])(
    "a link to a file that is read, at %s",
    async (planted) => {
      mkdirSync(join(dataDir, "soar-restore"));
      symlinkSync(join(outside, "victim"), join(dataDir, planted));
      const refused = { code: "FILE_UNREADABLE", message: expect.stringContaining("symbolic link") as string };
      const read = { "soar-kept.json": readKeptRecord, "soar-restore/restore.json": readRestoreRecord }[planted];
      await expect((read ?? fenceClone)(dataDir)).rejects.toMatchObject(refused);
      expect(describeOutside()).toBe(before);
    },
  );

  test("a link to a directory, in the place of the restore's own", async () => {
    symlinkSync(outside, join(dataDir, "soar-restore"));
    await expect(writeRestoreRecord(dataDir, record, OWNER)).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
    expect(describeOutside()).toBe(before);
  });

  test("a link in the place of the spool", async () => {
    mkdirSync(join(dataDir, "soar-restore"));
    symlinkSync(outside, join(dataDir, "soar-restore", "spool"));
    await createSpoolDirectory(dataDir, OWNER);
    expect(lstatSync(join(dataDir, "soar-restore", "spool"))).toMatchObject(OWNER);
    expect(describeOutside()).toBe(before);
  });

  test("a pg_wal that leads to a directory of somebody else", async () => {
    if (!isRoot()) return expect(OWNER.uid).not.toBe(0);
    rmSync(join(dataDir, "pg_wal"), { recursive: true });
    mkdirSync(join(outside, "archive_status"));
    writeFileSync(join(outside, "00000002.history"), "");
    symlinkSync(outside, join(dataDir, "pg_wal"));
    await expect(adoptClone(dataDir)).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
    expect(readdirSync(join(outside, "archive_status"))).toEqual([]);
  });
});

test("an empty directory for WAL that the operator has made as root is the server's user's afterwards", async () => {
  rmSync(join(dataDir, "pg_wal"), { recursive: true });
  const walDir = join(root, "wal");
  mkdirSync(walDir);
  await linkWal({ dataDir, walDir }, OWNER);
  expect(lstatSync(walDir)).toMatchObject(OWNER);
  expect(lstatSync(join(dataDir, "pg_wal")).isSymbolicLink()).toBe(true);
});
