import {
  chmodSync,
  lchownSync,
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
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { requires, serverUser } from "@soar-tooling/test-bench";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { type Binary, createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** Somebody without an account, on the same machine. */
const STRANGER = { uid: 12_345, gid: 12_345 };

let world: SoarWorld;
let root: string;
let outside: string;
beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation("pg_ctl"), initdbArgs: ["--wal-segsize=1"] });
  await archiveAll(world.cluster);
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-places-"));
  outside = join(root, "outside");
  mkdirSync(outside);
  for (const name of ["backup.log", "soar.prom", "counters.json", "lock"])
    writeFileSync(join(outside, name), "untouched", { mode: 0o644 });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function describeOutside(): string[] {
  return [".", ...readdirSync(outside).sort()].map((name) => {
    const { uid, gid, mode, nlink } = lstatSync(join(outside, name));
    return [name, uid, gid, mode, nlink, name === "." ? "" : readFileSync(join(outside, name), "utf8")].join(" ");
  });
}

/** A directory in which this user has made links to `outside`, in the place of all that a program writes to. */
function plant(place: string, { uid, gid }: { readonly uid: number; readonly gid: number }): Record<string, string> {
  const link = (name: string, target: string): string => {
    symlinkSync(target, join(place, name));
    lchownSync(join(place, name), uid, gid);
    return join(place, name);
  };
  const metrics = join(link("metrics", outside), "soar.prom");
  return {
    BACKUP_LOG_DIR: link("log", outside),
    BACKUP_METRICS_FILE: metrics,
    BACKUP_VERIFY_METRICS_FILE: metrics,
    BACKUP_ARCHIVER_METRICS_FILE: metrics,
    BACKUP_DRILL_METRICS_FILE: metrics,
    BACKUP_VERIFY_STATE_DIR: link("state", outside),
    BACKUP_DRILL_STATE_DIR: link("drill", outside),
    BACKUP_SPOOL_DIR: link("spool", outside),
    BACKUP_TEMP_DIR: link("temp", outside),
  };
}

const COMMANDS: readonly (readonly [Binary, readonly string[]])[] = [
  ["soar-base-backup", []],
  ["soar-backup-verify", ["verify"]],
  ["soar-backup-verify", ["drill"]],
  ["soar-restore", ["plan", "--latest"]],
  ["soar-restore", ["--latest", "--yes", "--data-dir", "/nonexistent/data"]],
];

describe("run by root, no program writes where somebody else leads it:", requires("root"), () => {
  test.each([
    [
      "the server's user, in a directory of its own",
      () => {
        const place = join(root, "theirs");
        mkdirSync(place);
        lchownSync(place, serverUser().uid, serverUser().gid);
        return plant(place, serverUser());
      },
    ],
    [
      "another local user, where everybody may make names",
      () => {
        const place = join(root, "shared");
        mkdirSync(place);
        chmodSync(place, 0o1777);
        return plant(place, STRANGER);
      },
    ],
  ])("%s", { timeout: 240_000 }, async (_, make) => {
    const planted = make();
    const before = describeOutside();
    const { BACKUP_LOG_DIR: _log, ...others } = planted;
    for (const settings of [planted, others])
      for (const [binary, args] of COMMANDS) {
        const { stderr } = await world.run(binary, args, { settings });
        expect(describeOutside(), `${binary} ${args.join(" ")}\n${stderr}`).toEqual(before);
      }
    const [segment = ""] = readdirSync(join(world.cluster.dataDir, "pg_wal")).filter((name) =>
      /^[0-9A-F]{24}$/.test(name),
    );
    const path = join(world.cluster.dataDir, "pg_wal", segment);
    for (const args of [
      [path, segment],
      ["status", "--data-dir", world.cluster.dataDir],
    ]) {
      await world.run("soar-wal-archive", args, { settings: planted });
      expect(describeOutside(), args.join(" ")).toEqual(before);
    }
  });
});
