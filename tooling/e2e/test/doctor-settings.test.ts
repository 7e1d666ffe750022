import { chownSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestCluster, requireInstallation, type TestClusterOptions } from "@soar-tooling/postgres-clusters";
import { startS3Server } from "@soar-tooling/s3-server";
import { serverUser } from "@soar-tooling/test-bench";
import type { Examination } from "@soar/verify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { examineSetUp, saying } from "../src/doctor-findings.ts";

const installation = requireInstallation();
let directory: string;
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), "soar-doctor-"))));
afterAll(() => rm(directory, { recursive: true }));

async function examineServer(options: Partial<TestClusterOptions>): Promise<Record<string, Examination>> {
  await using cluster = await createTestCluster({ installation, ...options });
  return await examineSetUp(directory, { server: cluster.connection });
}

test("every setting that backups need is named, with the line to change, and whether a restart or a reload puts it in force", async () => {
  const settings = {
    wal_level: "minimal",
    max_wal_senders: "0",
    archive_mode: "off",
    fsync: "off",
    full_page_writes: "off",
    archive_timeout: "0",
  };
  expect(
    await examineServer({ settings, ...(installation.major < 18 ? {} : { initdbArgs: ["--no-data-checksums"] }) }),
  ).toMatchObject({
    "wal-level": saying("error", /wal_level is minimal/, /Set wal_level = replica and restart/),
    "wal-senders": saying("error", /max_wal_senders is 0/, /Set max_wal_senders = 10 and restart/),
    "archive-mode": saying(
      "error",
      /archive_mode is off/,
      /Set archive_mode = on and archive_command = 'soar-wal-archive %p %f', and restart/,
    ),
    fsync: saying("error", /fsync is off/, /fsync = on and reload/),
    "full-page-writes": saying("error", /full_page_writes is off/, /full_page_writes = on and reload/),
    "data-checksums": saying("warning", /data checksums are off/, /pg_checksums --enable/),
    "archive-timeout": saying("notice", /archive_timeout is 0/, /archive_timeout = 300 and reload/),
    replication: saying("error", /.+/, /ALTER ROLE/),
  });
});

test("settings that are not in force yet, archiving by something else, and a slot that holds WAL", async () => {
  await using cluster = await createTestCluster({
    installation,
    archiveCommand: "cp %p /dev/null # %f",
    settings: { wal_level: "replica", max_wal_senders: "2", max_wal_size: "32MB", min_wal_size: "32MB" },
  });
  await cluster.configure({ max_connections: "150" });
  await cluster.query("SELECT pg_reload_conf()");
  await cluster.query("SELECT pg_create_physical_replication_slot('forgotten', true)");
  for (let n = 0; n < 4; n += 1)
    await cluster.query("SELECT pg_logical_emit_message(true, 'a', repeat('x', 100)) IS NOT NULL, pg_switch_wal()");
  await expect
    .poll(
      async () => (await cluster.query("SELECT pending_restart FROM pg_settings WHERE name = 'max_connections'"))[0],
    )
    .toEqual({ pending_restart: true });
  expect(await examineSetUp(directory, { server: cluster.connection })).toMatchObject({
    "restart-pending": saying("warning", /not in force: max_connections/, /Restart the server/),
    "wal-senders": saying("warning", /max_wal_senders is 2/, /max_wal_senders = 10 and restart/),
    "archive-command": saying("warning", /this is another program/, /soar-wal-archive %p %f/),
    "slot-holds-wal": saying(
      "warning",
      /'forgotten' is not used and holds \d+ MiB/,
      /pg_drop_replication_slot\('forgotten'\)/,
    ),
  });
});

test("a provider that takes no notice of 'only if absent'", async () => {
  const s3 = await startS3Server({ profile: "ignores-conditions" });
  const store = {
    url: `s3://${s3.bucket}/cluster1`,
    endpoint: s3.endpoint,
    region: s3.region,
    credentials: s3,
    retry: false,
  } as const;
  try {
    expect(
      await examineSetUp(directory, { store, server: { host: directory, port: 1, user: "nobody" } }),
    ).toMatchObject({
      "conditional-put": saying("warning", /ignored by the provider/, /Keep versions/),
      "no-repository": saying("warning", /nothing was ever archived/, /soar-base-backup/),
    });
  } finally {
    await s3.close();
  }
});

test("archive_mode = always is told, on a primary and on a standby, which then archives too", async () => {
  const settings = { archive_mode: "always" };
  expect(await examineServer({ settings })).toMatchObject({
    "archive-mode-always": saying(
      "notice",
      /every standby made from this server archives too/,
      /Set archive_mode = on/,
    ),
  });
  await using standby = await createTestCluster({ installation, settings });
  await standby.stop();
  const signal = join(standby.dataDir, "standby.signal");
  writeFileSync(signal, "", { mode: 0o600 });
  chownSync(signal, serverUser().uid, serverUser().gid);
  await standby.start();
  expect(await examineSetUp(directory, { server: standby.connection })).toMatchObject({
    "archive-mode-always": saying("notice", /this standby archives what its primary archives too/, /Set archive_mode/),
  });
});
