import { chownSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { requires, serverUser, startProgram } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BackupRecord } from "@soar/repository";
import { filesSource } from "../src/index.ts";
import { createBackupWorld, type BackupWorld } from "./backup-world.ts";
import { extractBackup } from "./extract-backup.ts";

const SECRET = "what only root may read";

let world: BackupWorld;
/** Of root alone, with the names that the server's directory of a database has. */
let secrets: string;
let database: string;
beforeEach(async () => {
  world = await createBackupWorld({ installation: requireInstallation(), initdbArgs: ["--wal-segsize=1"] });
  secrets = mkdtempSync(join(tmpdir(), "soar-secrets-"));
  database = join(world.cluster.dataDir, "base", "1");
  for (const name of readdirSync(database)) writeFileSync(join(secrets, name), SECRET, { mode: 0o600 });
}, 60_000);
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(secrets, { recursive: true });
});

const take = (): Promise<BackupRecord | Error> =>
  world.take({ source: filesSource(world.cluster.connection) }).catch((error: Error) => error);

/** Of the backups that came to their end. */
async function expectNoSecret(record: BackupRecord | Error): Promise<void> {
  if (record instanceof Error) return;
  const directory = await extractBackup(world.store, record);
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile())
      expect(readFileSync(join(entry.parentPath, entry.name)).includes(SECRET), entry.name).toBe(false);
}

describe("root reads the files of a server for its backup, and nothing else:", requires("root"), () => {
  test("not through a directory that is exchanged for a link while it reads", { timeout: 120_000 }, async () => {
    const script = `while :; do mv '${database}' '${database}.x' && ln -s '${secrets}' '${database}' && rm '${database}'
      mv '${database}.x' '${database}'; done 2>/dev/null`;
    const attacker = startProgram(["sh", "-c", script], {
      cwd: "/",
      env: { PATH: "/usr/bin:/bin" },
      user: serverUser(),
    });
    try {
      for (let run = 0; run < 5; run += 1) await expectNoSecret(await take());
    } finally {
      attacker.kill("SIGKILL");
      await attacker.result;
    }
  });

  test("not another name of a file of root's", { timeout: 60_000 }, async () => {
    const [name = ""] = readdirSync(secrets);
    linkSync(join(secrets, name), join(database, "99999"));
    expect(await take()).toMatchObject({
      code: "FILE_UNREADABLE",
      message: expect.stringContaining("it belongs to user 0") as string,
      hint: expect.stringContaining("Nothing is read as root") as string,
    });
    chownSync(join(secrets, name), 0, serverUser().gid);
    expect(await take()).toMatchObject({ code: "FILE_UNREADABLE" });
  });

  test("not what a link of a tablespace leads to", { timeout: 60_000 }, async () => {
    mkdirSync(join(secrets, "PG_15_202209061", "1"), { recursive: true });
    writeFileSync(join(secrets, "PG_15_202209061", "1", "99999"), SECRET);
    const script = `ln -s '${secrets}' '${join(world.cluster.dataDir, "pg_tblspc", "99999")}'`;
    await startProgram(["sh", "-c", script], { cwd: "/", env: {}, user: serverUser() }).result;
    expect(await take()).toMatchObject({
      code: "FILE_UNREADABLE",
      message: expect.stringContaining("it belongs to user 0 and not to user") as string,
    });
  });
});
