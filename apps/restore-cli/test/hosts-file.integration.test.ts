import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listBackupRecords } from "@soar/repository";
import { adoptTestCluster, postgresMajors, requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, requires, serverUser } from "@soar-tooling/test-bench";
import { expect, test } from "vitest";
import { createRestoreWorld } from "./restore-world.ts";

// Certificates by the name of the host that a client asks for.
test(
  "pg_hosts.conf of PostgreSQL 19 comes back from outside of the data directory, as Debian has it",
  requires("major-19"),
  async () => {
    const installation = postgresMajors().find(({ major }) => major === 19) ?? requireInstallation();
    await using debian = await createRestoreWorld({ installation, start: false });
    const { cluster, directory } = debian;
    const etc = join(directory, "etc");
    mkdirSync(etc);
    const files = ["pg_hba.conf", "pg_hosts.conf", "pg_ident.conf"];
    for (const file of ["postgresql.conf", ...files]) renameSync(join(cluster.dataDir, file), join(etc, file));
    const hosts = "db.example server.crt server.key\n";
    writeFileSync(join(etc, "pg_hosts.conf"), hosts);
    const places = files.map((file) => `${file.slice(3, -5)}_file = '${join(etc, file)}'\n`);
    appendFileSync(join(etc, "postgresql.conf"), `data_directory = '${cluster.dataDir}'\n${places.join("")}`);
    execFileSync("chown", ["-R", `${serverUser().uid}:${serverUser().gid}`, etc]);
    await cluster.start({ args: ["-c", `config_file=${join(etc, "postgresql.conf")}`] });
    const backup = await debian.run("soar-base-backup");
    expect(backup.status, backup.stderr).toBe(0);
    const dataDir = join(directory, "copy");
    const place = ["--data-dir", dataDir, "--port", String(await freePort())];
    const copied = await debian.run("soar-restore", "--latest", ...place, "--yes");
    expect(copied.status, copied.stderr).toBe(0);
    expect(readFileSync(join(dataDir, "pg_hosts.conf"), "utf8")).toBe(hosts);
    expect(readFileSync(join(dataDir, "postgresql.conf"), "utf8")).toContain(
      `hosts_file = '${join(dataDir, "pg_hosts.conf")}'`,
    );

    await using copy = await adoptTestCluster({ installation, dataDir, start: false });
    await copy.stop();
    // Debian's servers are told of one that is not there: then none is missing elsewhere, either.
    rmSync(join(etc, "pg_hosts.conf"));
    const without = await debian.run("soar-base-backup");
    expect(without.status, without.stderr).toBe(0);
    const records = await listBackupRecords(debian.store);
    expect(records.map(({ settings }) => settings["hosts_file"])).toEqual([join(etc, "pg_hosts.conf"), undefined]);
    expect(records.at(-1)?.settings).toMatchObject({ hba_file: join(etc, "pg_hba.conf") });
  },
);
