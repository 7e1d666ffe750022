import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { chown, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTestCluster, type PostgresInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { setRecoveryMode } from "../src/recovery-config/recovery-config.ts";
import { baseBackup } from "../src/replication/base-backup.ts";
import { connectReplication } from "../src/replication/replication-connection.ts";

/** A primary with an archive, a base backup of it as a directory, and rows that came after the backup. */
export interface RecoverySource extends AsyncDisposable {
  readonly primary: TestCluster;
  readonly archiveDir: string;
  /** The backup, unpacked; the directory and its files belong to the server's user. */
  readonly restoredDir: string;
  readonly logFile: string;
  /** Settings for a server on the restored directory, on a port of its own and without archiving. */
  readonly settings: Record<string, string>;
}

/** Rows 1 and 2 are in the backup's WAL, 3 to `rows` are committed one by one and archived after it. */
export async function createRecoverySource(installation: PostgresInstallation, rows = 6): Promise<RecoverySource> {
  const primary = await createTestCluster({ installation, initdbArgs: ["--wal-segsize=1"], start: false });
  const archiveDir = primary.tablespaceDir("archive");
  await primary.configure({ archive_mode: "on", archive_command: `cp %p ${archiveDir}/%f` });
  await primary.start();
  await primary.query("create table t (n int primary key, at timestamptz default clock_timestamp())");
  await primary.query("insert into t values (1)");
  await primary.query("insert into t values (2)");
  const restoredDir = primary.tablespaceDir("restored");
  await unpackBackup(primary, restoredDir);
  for (let n = 3; n <= rows; n += 1) {
    await primary.query("insert into t values ($1)", [n]);
    await primary.query("select pg_switch_wal()");
  }
  await waitUntilArchived(primary);
  await setRecoveryMode(restoredDir, "recovery");
  await ownRecursively(primary, restoredDir);
  const settings = {
    port: String(primary.port),
    unix_socket_directories: restoredDir,
    listen_addresses: "",
    archive_mode: "off",
    restore_command: `cp ${archiveDir}/%f %p`,
    recovery_target_action: "promote",
  };
  return {
    primary,
    archiveDir,
    restoredDir,
    settings,
    logFile: join(primary.socketDir, "restored.log"),
    [Symbol.asyncDispose]: () => primary.remove(),
  };
}

async function unpackBackup(primary: TestCluster, directory: string): Promise<void> {
  await using connection = await connectReplication(primary.connection);
  const chunks: Buffer[] = [];
  for await (const event of baseBackup(connection, { label: "test", checkpoint: "fast" }))
    if (event.type === "data") chunks.push(event.chunk);
  const archive = join(primary.socketDir, "base.tar");
  await writeFile(archive, Buffer.concat(chunks));
  spawnSync("tar", ["xf", archive], { cwd: directory });
  mkdirSync(join(directory, "pg_wal", "archive_status"), { recursive: true });
  chmodSync(directory, 0o700);
}

/** The restore point puts WAL into the segment: at a boundary the majors name different ones. */
async function waitUntilArchived(primary: TestCluster): Promise<void> {
  const [row] = await primary.query<{ name: string }>(
    "select pg_create_restore_point('end'), pg_walfile_name(pg_current_wal_lsn()) as name",
  );
  await primary.query("select pg_switch_wal()");
  for (;;) {
    const [archiver] = await primary.query<{ done: boolean | null }>(
      "select last_archived_wal >= $1 as done from pg_stat_archiver",
      [row?.name],
    );
    if (archiver?.done === true) return;
  }
}

async function ownRecursively(primary: TestCluster, directory: string): Promise<void> {
  const { uid, gid } = primary.owner;
  await chown(directory, uid, gid);
  if (process.getuid?.() === 0) spawnSync("chown", ["-R", `${uid}:${gid}`, directory]);
}
