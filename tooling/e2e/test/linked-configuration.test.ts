import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connectSql } from "@soar/pg-tools/replication";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** Configuration that is in no base backup, because links or settings of the data directory lead to it. */
const FILES = ["pg_hba.conf", "pg_ident.conf", "own.conf", "conf.d", "postgresql.auto.conf"];

/** Of a server whose configuration files are all there. */
const CONFIGURED = {
  marked: 1,
  mapped: 1,
  work_mem: "5MB",
  maintenance_work_mem: "20MB",
  temp_buffers: "16MB",
};

const DESCRIBE = `SELECT
  (SELECT count(*)::int FROM pg_hba_file_rules WHERE user_name = '{administrator}') AS marked,
  (SELECT count(*)::int FROM pg_ident_file_mappings WHERE map_name = 'administrators') AS mapped,
  current_setting('work_mem') AS work_mem, current_setting('maintenance_work_mem') AS maintenance_work_mem,
  current_setting('temp_buffers') AS temp_buffers`;

async function describeServer(port: number): Promise<Readonly<Record<string, unknown>> | undefined> {
  await using connection = await connectSql({ host: "127.0.0.1", port, user: "postgres" });
  return (await connection.query(DESCRIBE))[0];
}

describe.each<[string, string[], string[]]>([
  ["links lead to its rules and included files", [], []],
  ["links lead to its postgresql.conf and all others", ["postgresql.conf"], []],
  ["its postgresql.conf names rules and included files elsewhere", [], ["pg_hba.conf", "pg_ident.conf", "own.conf"]],
])("of a server where %s,", (_, alsoLinked, named) => {
  let world: SoarWorld;
  let etc: string;

  beforeAll(async () => {
    world = await createSoarWorld({
      installation: requireInstallation("psql"),
      initdbArgs: ["--wal-segsize=1"],
      hba: ["local all administrator reject"],
    });
    const { cluster } = world;
    await cluster.query("ALTER SYSTEM SET temp_buffers = '16MB'");
    await cluster.stop();
    etc = mkdtempSync(join(tmpdir(), "soar-linked-"));
    const inData = (name: string): string => join(cluster.dataDir, name);
    const place = (name: string): string => (named.includes(name) ? join(etc, name) : name);
    const conf = readFileSync(inData("postgresql.conf"), "utf8");
    const rules = named.length === 0 ? "" : `hba_file = '${etc}/pg_hba.conf'\nident_file = '${etc}/pg_ident.conf'\n`;
    writeFileSync(
      inData("postgresql.conf"),
      `${conf}\ninclude_dir = 'conf.d'\ninclude '${place("own.conf")}'\n${rules}`,
    );
    writeFileSync(inData("pg_ident.conf"), "administrators root postgres\n");
    writeFileSync(inData("own.conf"), "work_mem = '5MB'\n");
    mkdirSync(inData("conf.d"));
    writeFileSync(inData("conf.d/10.conf"), "maintenance_work_mem = '20MB'\n");
    for (const name of [...FILES, ...alsoLinked]) {
      renameSync(inData(name), join(etc, name));
      if (!named.includes(name)) symlinkSync(join(etc, name), inData(name));
    }
    for (const path of [etc, ...["conf.d", "conf.d/10.conf", ...FILES, ...alsoLinked].map((name) => join(etc, name))])
      chownSync(path, cluster.owner.uid, cluster.owner.gid);
    await cluster.start();
    await cluster.query("CREATE TABLE devices AS SELECT generate_series(1, 1000) AS id");
    const backup = await world.run("soar-base-backup", ["--no-expire"]);
    if (backup.status !== 0) throw new Error(backup.stderr);
    await archiveAll(cluster);
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    for (const path of [etc, `${etc}.away`]) rmSync(path, { recursive: true, force: true });
  });

  const restore = (...args: readonly string[]): Promise<ProgramResult> => world.run("soar-restore", args);
  /** As on a host that never had these files. */
  const withoutFiles = async <T>(work: () => Promise<T>): Promise<T> => {
    renameSync(etc, `${etc}.away`);
    try {
      return await work();
    } finally {
      renameSync(`${etc}.away`, etc);
    }
  };
  const stopServer = async (dataDir: string): Promise<void> => {
    const pid = Number(readFileSync(join(dataDir, "postmaster.pid"), "utf8").split("\n")[0]);
    process.kill(pid, "SIGINT");
    while (existsSync(join(dataDir, "postmaster.pid"))) await delay(20);
  };

  test("a copy on another host has the configuration of the backup, and the plan says so", async () => {
    const dataDir = join(world.directory, "copy");
    const port = await freePort();
    const args = ["--latest", "--data-dir", dataDir, "--port", String(port)];
    await withoutFiles(async () => {
      const plan = await restore("plan", ...args.slice(0, 3));
      expect(plan.stdout).toMatch(/^configuration: +.*pg_hba\.conf.* as saved with the backup/m);
      const result = await restore(...args, "--yes");
      expect(result, result.stderr).toMatchObject({ status: 0 });
      expect(await describeServer(port)).toEqual(CONFIGURED);
    });
    await stopServer(dataDir);
    // Overwritten, it is as new.
    rmSync(join(dataDir, "pg_hba.conf"));
    const again = await withoutFiles(() => restore(...args, "--delta", "--yes"));
    expect(again, again.stderr).toMatchObject({ status: 0 });
    expect(await describeServer(port)).toEqual(CONFIGURED);
    await stopServer(dataDir);
  });

  test("a backup is taken from the archive", async () => {
    const result = await world.run("soar-base-backup", ["take", "--from-archive", "--no-expire"], {
      settings: { BACKUP_TEMP_DIR: join(world.directory, "temp") },
    });
    expect(result, result.stderr).toMatchObject({ status: 0 });
  });

  test("a copy that pauses at the target lets in whom the rules of the backup let in", async () => {
    const dataDir = join(world.directory, "paused");
    const port = await freePort();
    const args = ["--immediate", "--target-action", "pause", "--data-dir", dataDir, "--port", String(port)];
    const result = await withoutFiles(() => restore(...args, "--yes"));
    expect(result, result.stderr).toMatchObject({ status: 0 });
    expect(await describeServer(port)).toMatchObject({ marked: 1, work_mem: "5MB" });
    await stopServer(dataDir);
  });

  test("in its place it has what its links lead to, as the administrator has it now", async () => {
    const { cluster } = world;
    await cluster.kill();
    for (const args of [[], ["--delta"]]) {
      const result = await restore("--latest", ...args, "--yes");
      expect(result, result.stderr).toMatchObject({ status: 0 });
      expect(await describeServer(cluster.port)).toEqual(CONFIGURED);
      if (named.length === 0)
        expect(result.stderr).toMatch(/^configuration: +.*pg_hba\.conf.* where links of the old data/m);
      for (const name of ["pg_hba.conf", "own.conf", "conf.d", ...alsoLinked].filter((one) => !named.includes(one)))
        expect([name, lstatSync(join(cluster.dataDir, name)).isSymbolicLink()]).toEqual([name, true]);
      await cluster.stop();
    }
  });

  test("in its place, with --with-config, it has the configuration of the backup", async () => {
    const { cluster } = world;
    writeFileSync(join(etc, "own.conf"), "work_mem = '6MB'\n");
    try {
      const plan = await restore("plan", "--latest", "--with-config");
      expect(plan.stdout).toMatch(/^configuration: +.*own\.conf(?:.*as saved with the backup| is put back)/m);
      const result = await restore("--latest", "--with-config", "--yes");
      expect(result, result.stderr).toMatchObject({ status: 0 });
      expect(await describeServer(cluster.port)).toEqual(CONFIGURED);
      await cluster.stop();
    } finally {
      writeFileSync(join(etc, "own.conf"), "work_mem = '5MB'\n");
      chownSync(join(etc, "own.conf"), cluster.owner.uid, cluster.owner.gid);
    }
  });

  test("in its place, with all of that lost, it has the configuration of the backup", async () => {
    const { cluster } = world;
    for (const prepare of [() => undefined, () => rmSync(cluster.dataDir, { recursive: true })]) {
      prepare();
      const result = await withoutFiles(() => restore("--latest", "--yes"));
      expect(result, result.stderr).toMatchObject({ status: 0 });
      expect(await describeServer(cluster.port)).toEqual(CONFIGURED);
      await cluster.stop();
    }
  });
});
