import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll, databaseTime, passCheckpoint } from "../src/archiving.ts";
import { codeBlocks } from "../src/documentation.ts";
import { createSoarWorld, ROOT, runProgram, type SoarWorld } from "../src/soar-world.ts";

let world: SoarWorld;
/** Stands for the root of the file system. */
let root: string;
let label: string;
let instant: string;

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_ctl"),
    databases: ["soar"],
    archiveCommand: "false",
  });
  root = join(world.directory, "root");
  label = new Date().toISOString().slice(0, 10);
  await makeLinks();
});
afterAll(() => world[Symbol.asyncDispose]());

/** A line of the specification, below the directory that stands for the root, by the user that it names. */
function run(line: string, more: Readonly<Record<string, string>> = {}): Promise<ProgramResult> {
  const own = line
    .replaceAll(/\bsudo (?:-u postgres )?/g, "")
    .replaceAll(/(?<=^|[\s"'])\/(?=scripts\/backup|usr\/local\/bin)/g, `${root}/`);
  return runProgram(["sh", "-c", own], {
    settings: { BACKUP_ENV_FILE: world.envFile, BACKUP_TEMP_DIR: join(world.directory, "temp"), ...more },
    directory: world.directory,
    asServerUser: line.includes("sudo -u postgres"),
  });
}

async function expectToWork(line: string): Promise<ProgramResult> {
  const result = await run(line);
  expect(result, `${line}\n${result.stderr}`).toMatchObject({ status: 0 });
  return result;
}

/** As documented. */
async function makeLinks(): Promise<void> {
  const [block] = codeBlocks(join(ROOT, "docs/old-names.md"), "bash");
  await expectToWork(block?.text ?? "");
}

test("the documented links may be made again", async () => {
  await makeLinks();
  expect(readdirSync(join(root, "scripts/backup")).toSorted()).toEqual([
    "backup-verify",
    "base-backup",
    "restore",
    "wal-archive",
  ]);
  expect(readlinkSync(join(root, "usr/local/bin/soar-wal-archive"))).toBe(
    join(ROOT, "node_modules/.bin/soar-wal-archive"),
  );
});

test("archive_command by its old path, and by hand as the server's user", async () => {
  const { cluster, envFile } = world;
  await cluster.query("CREATE TABLE t AS SELECT 1 AS a", [], "soar");
  await cluster.configure({
    archive_command: `BACKUP_ENV_FILE=${envFile} ${root}/usr/local/bin/soar-wal-archive %p %f`,
  });
  await archiveAll(cluster);
  const [row] = await cluster.query<{ name: string }>("SELECT pg_walfile_name(pg_switch_wal() - 1) AS name");
  const lines = ["/usr/local/bin/soar-wal-archive", "/scripts/backup/wal-archive"].map(
    (path) => `sudo -u postgres ${path} \\\n  ${cluster.dataDir}/pg_wal/${row?.name} \\\n  ${row?.name}`,
  );
  for (const line of lines) await expectToWork(line);
});

test("every other line of manual usage", async () => {
  const { cluster } = world;
  await expectToWork("sudo -u postgres /scripts/backup/base-backup");
  await passCheckpoint(cluster);
  await cluster.query("INSERT INTO t VALUES (2)", [], "soar");
  instant = (await databaseTime(cluster)).slice(0, 19);
  await cluster.query("SELECT pg_sleep(1)");
  await cluster.query("INSERT INTO t VALUES (3)", [], "soar");
  await archiveAll(cluster);
  await expectToWork("sudo -u postgres /scripts/backup/backup-verify");
  await expectToWork(`sudo -u postgres /scripts/backup/backup-verify ${label}`);
  // Plans only, in the zone of this machine; the last one is carried out, in place.
  for (const line of [
    `sudo /scripts/backup/restore --target-time "${instant}"`,
    `sudo /scripts/backup/restore --base-backup ${label} --target-time "${instant}"`,
  ]) {
    const { stdout } = await expectToWork(`TZ=UTC ${line} --data-dir ${cluster.dataDir} --dry-run`);
    expect(stdout).toContain(label);
  }
  const asked = await run("sudo /scripts/backup/restore --latest", { PGDATABASE: "soar" });
  expect(asked).toMatchObject({ status: 3, stderr: expect.stringContaining(label) });
  await expectToWork("sudo /scripts/backup/restore --latest --yes");
  expect(await cluster.query("SELECT count(*)::int AS n FROM t", [], "soar")).toEqual([{ n: 3 }]);
});
