import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { adoptTestCluster, postgresMajors, type PostgresInstallation } from "@soar-tooling/postgres-clusters";
import { freePort } from "@soar-tooling/test-bench";
import { requireMajor } from "@soar/pg-tools/majors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** The oldest and the newest: the newest has slots that follow a failover, and what waits for them. */
const majors = [...new Set([postgresMajors()[0], postgresMajors().at(-1)])].filter((found) => found !== undefined);

describe.each(majors)(
  "on PostgreSQL $version, whose postgresql.conf lies with the data and names its own places,",
  (installation: PostgresInstallation) => {
    const { slotsOfStandbys } = requireMajor(installation.major).features;
    let world: SoarWorld;
    let pidFile: string;
    let logDir: string;

    beforeAll(async () => {
      world = await createSoarWorld({
        installation,
        initdbArgs: ["--wal-segsize=1"],
        settings: { wal_level: "logical" },
      });
      const { cluster } = world;
      pidFile = join(world.directory, "source.pid");
      logDir = join(world.directory, "source-log");
      const followed = { sync_replication_slots: "on", synchronized_standby_slots: "standby1" };
      await cluster.configure({
        data_directory: cluster.dataDir,
        hba_file: join(cluster.dataDir, "pg_hba.conf"),
        external_pid_file: pidFile,
        logging_collector: "on",
        log_directory: logDir,
        log_filename: "postgresql.log",
        log_statement: "all",
        ...(slotsOfStandbys ? followed : {}),
      });
      await cluster.restart();
      if (slotsOfStandbys) {
        await cluster.query("SELECT pg_create_physical_replication_slot('standby1', true)");
        await cluster.query("SELECT pg_create_logical_replication_slot('decoded', 'test_decoding', failover => true)");
      }
      const backup = await world.run("soar-base-backup", ["--no-expire"]);
      if (backup.status !== 0) throw new Error(backup.stderr);
      await cluster.query("CREATE TABLE marks (at timestamptz); INSERT INTO marks VALUES (now())");
      await cluster.query("SELECT pg_create_restore_point('here'), pg_logical_emit_message(true, 'a', 'b')");
      await archiveAll(cluster);
    });
    afterAll(() => world[Symbol.asyncDispose]());

    test.each(["promote", "pause"])(
      "a copy (%s) is started in its own directory, while its source is stopped and while it runs",
      async (action) => {
        const { cluster } = world;
        const dataDir = join(world.directory, `copy-${action}`);
        const port = await freePort();
        const pid = readFileSync(pidFile, "utf8");
        const restored = await world.run("soar-restore", [
          "--target-name",
          "here",
          "--data-dir",
          dataDir,
          "--port",
          String(port),
          "--target-action",
          action,
          "--yes",
        ]);
        expect(restored, restored.stderr).toMatchObject({ status: 0 });
        expect(readFileSync(pidFile, "utf8")).toBe(pid);
        const ownLog = join(dataDir, "log", "postgresql.log");
        if (action === "promote") expect(restored.stdout).toContain(`its log: ${ownLog}`);
        await using copy = await adoptTestCluster({ installation, dataDir, start: false });
        await copy.stop();
        await cluster.stop();
        await copy.start();
        expect(existsSync(join(cluster.dataDir, "postmaster.pid"))).toBe(false);
        expect(existsSync(pidFile)).toBe(false);
        expect(
          await copy.query(
            "SELECT current_setting('data_directory') AS data, current_setting('hba_file') AS hba, (SELECT count(*)::int FROM marks) AS marks",
          ),
        ).toEqual([{ data: dataDir, hba: join(dataDir, "pg_hba.conf"), marks: 1 }]);
        expect(await copy.query("SELECT slot_name FROM pg_replication_slots")).toEqual([]);
        expect(readFileSync(ownLog, "utf8")).toContain("SELECT slot_name");
        expect(readFileSync(join(logDir, "postgresql.log"), "utf8")).not.toContain("SELECT slot_name");
        // Decoding there does not wait for a standby of the source.
        if (action === "promote" && slotsOfStandbys) {
          await copy.query("SELECT pg_create_logical_replication_slot('own', 'test_decoding', failover => true)");
          await copy.query("INSERT INTO marks VALUES (now())");
          const [row] = await copy.query<{ changes: number }>(
            "SELECT count(*)::int AS changes FROM pg_logical_slot_get_changes('own', NULL, NULL)",
          );
          expect(row?.changes).toBeGreaterThan(0);
        }
        await copy.stop();
        await cluster.start();
      },
    );
  },
);
