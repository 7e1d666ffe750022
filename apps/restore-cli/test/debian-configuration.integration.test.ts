import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { adoptTestCluster } from "@soar-tooling/postgres-clusters";
import { freePort, serverUser } from "@soar-tooling/test-bench";
import { expect, test } from "vitest";
import { createRestoreWorld } from "./restore-world.ts";
import { startRestore } from "./run-restore.ts";

test(
  "a cluster whose configuration lies outside of its directory, as on Debian, comes back in place with that, and elsewhere with a copy of it; on an empty host it is put back",
  { timeout: 180_000 },
  async () => {
    await using debian = await createRestoreWorld({ start: false, settings: { max_connections: 17 } });
    const { cluster, directory } = debian;
    const major = String(cluster.installation.major);
    const etc = join(directory, "etc", major, "main");
    mkdirSync(etc, { recursive: true });
    appendFileSync(
      join(cluster.dataDir, "postgresql.conf"),
      `data_directory = '${cluster.dataDir}'\nhba_file = '${join(etc, "pg_hba.conf")}'\nident_file = '${join(etc, "pg_ident.conf")}'\ninclude_dir = 'conf.d'\n`,
    );
    mkdirSync(join(etc, "conf.d"));
    writeFileSync(join(etc, "conf.d", "own.conf"), "work_mem = '5MB'\n");
    for (const file of ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"])
      renameSync(join(cluster.dataDir, file), join(etc, file));
    execFileSync("chown", ["-R", `${serverUser().uid}:${serverUser().gid}`, etc]);
    await cluster.start({ args: ["-c", `config_file=${join(etc, "postgresql.conf")}`] });
    await cluster.query("CREATE TABLE rows AS SELECT generate_series(1, 10) AS n");
    const backup = await debian.run("soar-base-backup");
    expect(backup.status, backup.stderr).toBe(0);
    const dataDir = join(directory, "copy");
    const copied = await debian.run(
      "soar-restore",
      "--latest",
      "--data-dir",
      dataDir,
      "--port",
      String(await freePort()),
      "--yes",
      "--json",
    );
    expect(copied.status, copied.stderr).toBe(0);
    expect(readFileSync(join(dataDir, "postgresql.conf"), "utf8")).toContain("max_connections");
    for (const file of ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"])
      expect(statSync(join(dataDir, file)).uid).toBe(serverUser().uid);
    await using copy = await adoptTestCluster({ installation: cluster.installation, dataDir, start: false });
    await copy.stop();
    await cluster.kill();
    // Since then somebody has named what this host does not have.
    appendFileSync(join(etc, "postgresql.conf"), "log_timezone = 'Soar/None'\n");
    const lacked = { name: "log_timezone", value: "Soar/None", now: "GMT" };
    const plan = await debian.run("soar-restore", "plan", "--latest");
    expect(plan.stdout, plan.stderr).toMatch(
      /^warning: +this host does not have log_timezone = 'Soar\/None': .*'GMT'/m,
    );
    rmSync(cluster.dataDir, { recursive: true });
    const inPlace = await debian.run("soar-restore", "--latest", "--yes", "--json");
    expect(inPlace.status, inPlace.stderr).toBe(0);
    expect(JSON.parse(inPlace.stdout)).toMatchObject({
      fenced: false,
      dataDir: cluster.dataDir,
      changedSettings: [lacked],
    });
    expect(
      await cluster.query(
        "SELECT count(*)::int AS rows, current_setting('config_file') AS config, current_setting('max_connections') AS max, current_setting('archive_mode') AS archive_mode FROM rows",
      ),
    ).toEqual([{ rows: 10, config: join(etc, "postgresql.conf"), max: "17", archive_mode: "on" }]);
    await cluster.stop();

    // A new machine: nothing but the repository and the env file, and the package's own configuration for a new cluster.
    rmSync(cluster.dataDir, { recursive: true });
    rmSync(join(etc, "pg_hba.conf"));
    writeFileSync(join(etc, "postgresql.conf"), "# of the package\nmax_connections = 100\n");
    symlinkSync(join(cluster.socketDir, "debian.log"), join(etc, "log"));
    writeFileSync(join(cluster.socketDir, "debian.log"), "");
    execFileSync("chown", [
      "-R",
      `${serverUser().uid}:${serverUser().gid}`,
      etc,
      join(cluster.socketDir, "debian.log"),
    ]);
    const refused = await debian.run(
      "soar-restore",
      "--latest",
      "--with-config",
      "--data-dir",
      join(directory, "elsewhere"),
      "--yes",
    );
    expect(refused).toMatchObject({
      status: 64,
      stderr: expect.stringContaining("--with-config goes with a restore into"),
    });
    const { result } = startRestore(["--env-file", debian.envFile, "--latest", "--with-config", "--yes", "--json"], {
      cwd: directory,
      env: { ...debian.env, PG_CLUSTER_CONF_ROOT: join(directory, "etc") },
    });
    const anew = await result;
    expect(anew.status, anew.stderr).toBe(0);
    expect(anew.stderr).toContain(
      `${join(etc, "postgresql.conf")} is put back, and what is there kept beside it:\n  -# of the package\n  -max_connections = 100\n  +`,
    );
    expect(anew.stderr).toContain(`${join(etc, "pg_hba.conf")} is put back; there is none`);
    expect(
      readFileSync(
        join(etc, readdirSync(etc).find((name) => name.startsWith("postgresql.conf.before-restore-")) ?? ""),
        "utf8",
      ),
    ).toContain("# of the package");
    for (const file of ["postgresql.conf", "pg_hba.conf", "conf.d/own.conf"])
      expect(statSync(join(etc, file)).uid).toBe(serverUser().uid);
    // Where Debian's programs are, they run it.
    expect(JSON.parse(anew.stdout)).toMatchObject({
      fenced: false,
      stopCommand: existsSync("/usr/bin/pg_ctlcluster")
        ? `pg_ctlcluster ${major} main stop -m fast`
        : expect.stringContaining("pg_ctl"),
    });
    expect(
      await cluster.query(
        "SELECT count(*)::int AS rows, current_setting('config_file') AS config, current_setting('max_connections') AS max, current_setting('work_mem') AS work_mem FROM rows",
      ),
    ).toEqual([{ rows: 10, config: join(etc, "postgresql.conf"), max: "17", work_mem: "5MB" }]);
  },
);
