import { chownSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectSql } from "@soar/pg-tools/replication";
import { type PostgresInstallation, postgresMajors } from "@soar-tooling/postgres-clusters";
import { freePort } from "@soar-tooling/test-bench";
import { expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld } from "../src/soar-world.ts";

/** The oldest, to which a list that is not there is an empty one, and the newest, which does not start without it. */
const INSTALLATIONS = [postgresMajors().at(0), postgresMajors().at(-1)].filter(
  (found): found is PostgresInstallation => found !== undefined,
);

test.each(INSTALLATIONS)(
  "on a host that lacks the lists of users of its access rules, a copy of PostgreSQL $major lets in whom they name, and the backup tells of one that it cannot keep",
  async (installation) => {
    await using world = await createSoarWorld({ installation, initdbArgs: ["--wal-segsize=1"] });
    const { cluster } = world;
    await using etc = temporary(cluster.owner);
    for (const user of ["alice", "bob", "mallory"]) await cluster.query(`CREATE ROLE ${user} LOGIN`);
    const hba = join(cluster.dataDir, "pg_hba.conf");
    const rules = readFileSync(hba, "utf8");
    etc.put("users.txt", "alice\n@more/users.txt\n");
    etc.put("more/users.txt", "bob # and nobody else\n");
    etc.put("maps.txt", "root\n");
    const own = `host all @${etc.path}/users.txt 127.0.0.1/32 trust\nhost all alice,bob,mallory 127.0.0.1/32 reject\n`;
    writeFileSync(hba, own + rules);
    writeFileSync(join(cluster.dataDir, "pg_ident.conf"), `admins @${etc.path}/maps.txt postgres\n`);
    await cluster.query("SELECT pg_reload_conf()");
    await cluster.query("CREATE TABLE devices AS SELECT generate_series(1, 10) AS id");
    const backup = await world.run("soar-base-backup", ["--no-expire"]);
    expect(backup, backup.stderr).toMatchObject({ status: 0 });
    expect(backup.stderr).not.toMatch(/users\.txt/);
    await archiveAll(cluster);

    const dataDir = join(world.directory, "copy");
    const port = await freePort();
    await etc.away(async () => {
      const plan = await world.run("soar-restore", ["plan", "--latest", "--data-dir", dataDir]);
      expect(plan.stdout).toMatch(/^configuration: +.*users\.txt.* as saved with the backup/m);
      const args = ["--latest", "--data-dir", dataDir, "--port", String(port), "--yes"];
      const result = await world.run("soar-restore", args);
      expect(result, result.stderr).toMatchObject({ status: 0 });
      const enter = async (user: string): Promise<unknown> => {
        await using sql = await connectSql({ host: "127.0.0.1", port, user, database: "postgres" });
        return await sql.query("SELECT session_user AS name");
      };
      expect([await enter("alice"), await enter("bob")]).toEqual([[{ name: "alice" }], [{ name: "bob" }]]);
      await expect(enter("mallory")).rejects.toMatchObject({ code: "SERVER_DENIED" });
    });
    process.kill(Number(readFileSync(join(dataDir, "postmaster.pid"), "utf8").split("\n")[0]), "SIGINT");

    rmSync(join(etc.path, "maps.txt"));
    const lacking = await world.run("soar-base-backup", ["--no-expire", "--json"]);
    expect(lacking, lacking.stderr).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(
        /warn.*maps\.txt', which '.*pg_ident\.conf' names, is in no backup: it is not there/,
      ) as string,
    });
    expect(JSON.parse(lacking.stdout)).toMatchObject({
      warnings: expect.arrayContaining([expect.stringContaining("maps.txt")]) as string[],
    });
    await archiveAll(cluster);
    const passedOn = await world.run("soar-base-backup", ["take", "--from-archive", "--no-expire", "--json"], {
      settings: { BACKUP_TEMP_DIR: join(world.directory, "temp") },
    });
    expect(passedOn, passedOn.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(passedOn.stdout)).toMatchObject({
      warnings: expect.arrayContaining([expect.stringContaining("maps.txt")]) as string[],
    });
    const told = await world.run("soar-restore", ["plan", "--latest", "--data-dir", `${dataDir}-2`]);
    expect(told.stdout).toMatch(
      /^warning: +.*pg_ident\.conf' names '.*maps\.txt', which is in no backup and not on this host/m,
    );
  },
);

/** A directory of the administrator's, of which no base backup has anything. */
function temporary({ uid, gid }: { readonly uid: number; readonly gid: number }) {
  const path = mkdtempSync(join(tmpdir(), "soar-listed-"));
  chownSync(path, uid, gid);
  return {
    path,
    put: (name: string, text: string): void => {
      mkdirSync(join(path, name, ".."), { recursive: true });
      writeFileSync(join(path, name), text);
    },
    /** As on a host that never had it. */
    away: async (work: () => Promise<void>): Promise<void> => {
      renameSync(path, `${path}.away`);
      try {
        await work();
      } finally {
        renameSync(`${path}.away`, path);
      }
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await Promise.resolve(rmSync(path, { recursive: true, force: true }));
    },
  };
}
