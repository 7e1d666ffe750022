import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BackupRecord } from "@soar/repository";
import { adoptTestCluster, type PostgresInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { expect } from "vitest";
import type { BackupWorld } from "./backup-world.ts";
import { extractBackup } from "./extract-backup.ts";

/** The backup, followed to the end of what was archived: a server that takes writes. */
export async function recoverBackup(
  world: BackupWorld,
  record: BackupRecord,
  installation: PostgresInstallation,
): Promise<TestCluster> {
  const dataDir = await extractBackup(world.store, record);
  // The server makes the links of its tablespaces from the map: to copies, the originals are in use.
  const map = join(dataDir, "tablespace_map");
  const lines = record.tablespaces.map(({ oid }) => {
    const copy = world.cluster.tablespaceDir(`extra-${record.label}`);
    cpSync(join(dataDir, "pg_tblspc", String(oid)), copy, { recursive: true });
    rmSync(join(dataDir, "pg_tblspc", String(oid)), { recursive: true });
    execFileSync("chown", ["-R", `${serverUser().uid}:${serverUser().gid}`, copy]);
    return `${oid} ${copy}\n`;
  });
  writeFileSync(map, lines.join(""));
  writeFileSync(join(dataDir, "recovery.signal"), "");
  writeFileSync(
    join(dataDir, "postgresql.auto.conf"),
    `restore_command = 'cp ${world.courier.directory}/box/%f %p'\narchive_mode = off\n`,
    { flag: "a" },
  );
  chmodSync(dataDir, 0o700);
  execFileSync("chown", ["-R", `${serverUser().uid}:${serverUser().gid}`, dataDir]);
  const restored = await adoptTestCluster({ installation, dataDir });
  await expect
    .poll(async () => (await restored.query("select pg_is_in_recovery() as recovering"))[0], { timeout: 60_000 })
    .toEqual({ recovering: false });
  return restored;
}
