import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { postgresMajors, requireInstallation, type PostgresInstallation } from "@soar-tooling/postgres-clusters";
import { requireMajor } from "@soar/pg-tools/majors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** Majors that have event triggers on login. */
const majors = postgresMajors().filter(({ major }) => requireMajor(major).features.loginEventTriggers);

describe.each(majors)(
  "on PostgreSQL $version, whose event triggers write down every login and forbid some,",
  (installation: PostgresInstallation) => {
    let world: SoarWorld;
    const isDumped = installation.programs.has("pg_dump");

    /** The server's own programs, and the older `pg_dump` that this machine has: it comes in, and finds a server that it cannot dump. */
    const scratch = (): Record<string, string> => {
      const bin = join(world.directory, "bin");
      if (!existsSync(bin)) {
        mkdirSync(bin);
        const older = requireInstallation("pg_dump", "pg_restore", "psql", "pg_amcheck");
        for (const from of [older.binDir, installation.binDir])
          for (const name of readdirSync(from)) {
            rmSync(join(bin, name), { force: true });
            symlinkSync(join(from, name), join(bin, name));
          }
      }
      return {
        BACKUP_PG_BIN_DIR: bin,
        BACKUP_TEMP_DIR: join(world.directory, "temp"),
        BACKUP_DRILL_REPORT_DIR: join(world.directory, "reports"),
        BACKUP_DRILL_STATE_DIR: join(world.directory, "drill"),
      };
    };
    beforeAll(async () => {
      world = await createSoarWorld({ installation, initdbArgs: ["--wal-segsize=1"], databases: ["forbidden"] });
      const { cluster } = world;
      for (const database of ["postgres", "forbidden"])
        await cluster.query("CREATE TABLE kept AS SELECT 1 AS n", [], database);
      for (const database of ["postgres", "template1"])
        await cluster.query(
          `
      CREATE TABLE logins (who text);
      CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.logins VALUES (session_user); END $$;
      CREATE EVENT TRIGGER note ON login EXECUTE FUNCTION note();
      ALTER EVENT TRIGGER note ENABLE ALWAYS`,
          [],
          database,
        );
      await cluster.query(
        `CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'nobody comes in'; END $$;
       CREATE EVENT TRIGGER forbid ON login EXECUTE FUNCTION forbid(); ALTER EVENT TRIGGER forbid ENABLE ALWAYS`,
        [],
        "forbidden",
      );
      // What is set in this way counts more than what a server is started with.
      for (const whose of ["DATABASE postgres", "DATABASE template1", "DATABASE forbidden", "ROLE ALL"])
        await cluster.query(`ALTER ${whose} SET event_triggers = on`);
      const backup = await world.run("soar-base-backup", ["--no-expire"]);
      if (backup.status !== 0) throw new Error(backup.stderr);
      await archiveAll(cluster);
    });
    afterAll(() => world[Symbol.asyncDispose]());

    test("a backup is taken from the archive, by a server that can write nothing", async () => {
      const result = await world.run("soar-base-backup", ["take", "--from-archive", "--no-expire"], {
        settings: { BACKUP_TEMP_DIR: join(world.directory, "temp") },
      });
      expect(result, result.stderr).toMatchObject({ status: 0 });
    });

    test("a drill comes into every database", async () => {
      const sql = join(world.directory, "kept.sql");
      writeFileSync(sql, "-- expect: 1\nSELECT count(*) FROM kept;\n");
      const args = ["drill", "--sql", sql, "--json"];
      const { stdout, stderr } = await world.run("soar-backup-verify", args, { settings: scratch() });
      if (stdout === "") throw new Error(stderr);
      const { checks } = JSON.parse(stdout) as { checks: { kind: string; outcome: string; detail: string }[] };
      // Older programs cannot read what the newer server is made of.
      const failed = checks.filter(({ outcome, kind }) => outcome === "failed" && kind !== "page-checksums");
      const mismatch = expect.stringContaining("because of server version mismatch") as unknown;
      expect(failed).toMatchObject(isDumped ? [] : [{ kind: "schema-dump", detail: mismatch }]);
      expect(checks).toContainEqual(
        expect.objectContaining({
          kind: "amcheck",
          detail: expect.stringContaining("of 3 databases is sound") as unknown,
        }),
      );
    });

    test("a table of the database that lets nobody in is rescued, as far as its dump", async () => {
      const file = join(world.directory, "kept.out");
      const args = ["table", "kept", "--database", "forbidden", "--latest", "--output", file];
      const { status, stderr } = await world.run("soar-restore", args, { settings: scratch() });
      if (isDumped) expect(status, stderr).toBe(0);
      else expect(stderr).toContain("aborting because of server version mismatch");
    });

    test("the server comes back in its place; nobody of ours was written down, every database was entered", async () => {
      const { cluster } = world;
      // This very session is one of them.
      const [{ rows } = { rows: 0 }] = await cluster.query<{ rows: number }>(
        "SELECT count(*)::int AS rows FROM logins",
      );
      await cluster.kill();
      const result = await world.run("soar-restore", ["--latest", "--yes", "--json"]);
      expect(result, result.stderr).toMatchObject({ status: 0 });
      expect(JSON.parse(result.stdout)).toMatchObject({ checks: { databases: 3, findings: [] } });
      expect(
        await cluster.query("SELECT count(*)::int AS rows, current_setting('event_triggers') AS triggers FROM logins"),
      ).toEqual([{ rows: rows + 1, triggers: "on" }]);
    });
  },
);
