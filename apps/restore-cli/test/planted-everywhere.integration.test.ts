import { createHash } from "node:crypto";
import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requires, serverUser, startProgram } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRestoreWorld, type RestoreWorld } from "./restore-world.ts";

/** What belongs to root and to a third user, and nobody else has any business with. */
let outside: string;
let before: string;
let world: RestoreWorld;
let dataDir: string;

beforeEach(async () => {
  outside = mkdtempSync(join(tmpdir(), "soar-outside-"));
  for (const name of ["empty", "wal", "wal/archive_status", "filled", "third"]) mkdirSync(join(outside, name));
  for (const name of ["victim", "filled/1259", "filled/PG_VERSION", "wal/000000010000000000000001"])
    writeFileSync(join(outside, name), `untouched ${name}`, { mode: 0o644 });
  lchownSync(join(outside, "third"), 12_345, 12_345);
  before = digestOf(outside);
  world = await createRestoreWorld();
  ({ dataDir } = world.cluster);
  await world.cluster.query("CREATE TABLE rows AS SELECT generate_series(1, 1000) AS n");
  await takeBackup();
}, 120_000);
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(outside, { recursive: true, force: true });
});

/** Names, owners, modes and bytes of everything. */
function digestOf(path: string): string {
  const { uid, gid, mode, nlink, size, mtimeMs } = lstatSync(path);
  const own = [path, uid, gid, mode, nlink, mtimeMs];
  if ((mode & 0o170_000) === 0o120_000) return [...own, readlinkSync(path)].join(" ");
  if ((mode & 0o170_000) !== 0o040_000)
    return [...own, size, createHash("sha256").update(readFileSync(path)).digest("hex")].join(" ");
  const names = readdirSync(path).sort();
  return [own.join(" "), ...names.map((name) => digestOf(join(path, name)))].join("\n");
}

const theirs = (path: string): string => {
  lchownSync(path, serverUser().uid, serverUser().gid);
  return path;
};

/** As the server's user would, a link in the place of whatever has this name. */
function plant(path: string, target: string): void {
  rmSync(path, { recursive: true, force: true });
  symlinkSync(join(outside, target), path);
  theirs(path);
}

async function takeBackup(): Promise<void> {
  const { status, stderr } = await world.run("soar-base-backup");
  expect(status, stderr).toBe(0);
}

function expectUntouched(): void {
  expect(digestOf(outside)).toBe(before);
}

async function restore(
  ...args: readonly string[]
): Promise<{ readonly status: number | null; readonly stderr: string }> {
  const result = await world.run("soar-restore", "--latest", "--yes", "--json", ...args);
  expectUntouched();
  return result;
}

async function expectRestored(): Promise<void> {
  expect(await world.cluster.query("SELECT count(*)::int AS rows FROM rows")).toEqual([{ rows: 1000 }]);
}

describe("what the server's user planted leads root nowhere", requires("root"), () => {
  test(
    "in a restore in place, which keeps the old directory: in it, beside it, and in its own records",
    { timeout: 300_000 },
    async () => {
      await world.cluster.stop();
      const aside = join(dataDir, "pg_wal.aside");
      renameSync(join(dataDir, "pg_wal"), aside);
      plant(join(dataDir, "pg_wal"), "wal");
      const foreign = await restore();
      expect(foreign.stderr).toContain("belongs to user 0");
      expect(foreign.status).not.toBe(0);
      rmSync(join(dataDir, "pg_wal"));
      renameSync(aside, join(dataDir, "pg_wal"));

      const stamp = "20260101T000000Z";
      const forged = {
        format: 1,
        dataDir,
        keptAs: `${dataDir}.before-restore-${stamp}`,
        keptAt: new Date().toISOString(),
        moved: [{ link: "pg_wal", from: join(outside, "filled"), to: join(outside, "taken") }],
      };
      writeFileSync(theirFile(join(dataDir, "soar-kept.json")), JSON.stringify(forged));
      plant(join(dataDir, "soar-restore"), "filled");
      expect((await restore()).stderr).toContain("is a symbolic link");
      rmSync(join(dataDir, "soar-restore"));
      plant(join(dataDir, "certificates"), "filled");
      plant(`${dataDir}.log`, "victim");
      const refused = await restore();
      expect(refused.stderr).toContain(`${dataDir}.log`);
      expect(refused.status).not.toBe(0);
      rmSync(`${dataDir}.log`);
      const done = await restore();
      expect(done.status, done.stderr).toBe(0);
      await expectRestored();
      expect(lstatSync(`${dataDir}.log`).uid).toBe(serverUser().uid);

      // The record of what was kept lies where the server's user can write.
      const kept = readdirSync(world.cluster.socketDir).find((name) => name.startsWith("data.before-restore-")) ?? "";
      const record = join(world.cluster.socketDir, kept, "soar-kept.json");
      const { moved: _, ...rest } = JSON.parse(readFileSync(record, "utf8")) as Record<string, unknown>;
      const own = kept.slice("data.before-restore-".length);
      const planted = `${join(outside, "filled")}.before-restore-${own}`;
      renameSync(join(outside, "filled"), planted);
      writeFileSync(
        record,
        JSON.stringify({ ...rest, moved: [{ link: "pg_wal", from: join(outside, "filled"), to: planted }] }),
      );
      const discard = await world.run("soar-restore", "discard-old", "--data-dir", dataDir, "--yes");
      renameSync(planted, join(outside, "filled"));
      expect(discard.stderr).toContain("it belongs to user 0");
      expect(readdirSync(join(outside, "filled")).sort()).toEqual(["1259", "PG_VERSION"]);
      expect(existsSync(record)).toBe(true);
    },
  );

  test("in a restore over what is there: everywhere below the directory", { timeout: 300_000 }, async () => {
    await world.cluster.stop();
    plant(join(dataDir, "base", "1"), "filled");
    plant(join(dataDir, "pg_xact"), "empty");
    plant(join(dataDir, "PG_VERSION.soar-tmp"), "victim");
    plant(join(dataDir, "backup_label"), "victim");
    plant(join(dataDir, "postgresql.auto.conf"), "victim");
    plant(join(dataDir, "pg_tblspc", "16999"), "filled");
    const first = await restore("--delta");
    expect(first.status, first.stderr).toBe(0);
    await expectRestored();
    await world.cluster.stop();
    plant(join(dataDir, "soar-restore"), "empty");
    const second = await restore("--delta");
    expect(second.stderr).toContain("symbolic link");
    rmSync(join(dataDir, "soar-restore"));
    const wal = join(dataDir, "pg_wal");
    rmSync(wal, { recursive: true });
    plant(wal, "wal");
    const third = await restore("--delta");
    expect(third.status).not.toBe(0);
  });

  test("while it restores and they exchange directories for links all the time", { timeout: 300_000 }, async () => {
    await world.cluster.stop();
    // In turns: the restore has to come to the extraction, and each of these has to be a link while files are made in it.
    const script = `cd '${dataDir}' || exit
      while :; do for name in base/1 base/4 base/5 pg_xact; do
        mv "$name" "$name.x" && ln -s '${outside}/filled' "$name" && rm "$name" && mv "$name.x" "$name"
      done 2>/dev/null; done`;
    const attacker = startProgram(["sh", "-c", script], {
      cwd: "/",
      env: { PATH: "/usr/bin:/bin" },
      user: serverUser(),
    });
    for (let run = 0; run < 3; run += 1) await restore("--delta");
    attacker.kill("SIGKILL");
    await attacker.result;
    expectUntouched();
  });
});

/** A file of the server's user. */
function theirFile(path: string): string {
  writeFileSync(path, "");
  return theirs(path);
}
