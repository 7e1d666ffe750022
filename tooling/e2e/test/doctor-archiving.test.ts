import { chmodSync, chownSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { examineSetUp, saying } from "../src/doctor-findings.ts";

// What the doctor says of the way from the server to the archiver.

let directory: string;
let cluster: TestCluster;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "soar-doctor-"));
  chmodSync(directory, 0o755);
  chownSync(directory, serverUser().uid, serverUser().gid);
  cluster = await createTestCluster({
    installation: requireInstallation(),
    archiveCommand: "test -n %p && test -n %f # soar-wal-archive",
  });
});
afterAll(async () => {
  await cluster.remove();
  await rm(directory, { recursive: true });
});

const switchSegment = () =>
  cluster.query("SELECT pg_logical_emit_message(true, 'a', 'b') IS NOT NULL, pg_switch_wal()");

test("archiving that works is said to, with the last file", async () => {
  await switchSegment();
  const archived = async () =>
    (await cluster.query<{ name: string | null }>("SELECT last_archived_wal AS name FROM pg_stat_archiver"))[0]?.name;
  await expect.poll(archived, { timeout: 30_000 }).toMatch(/^[0-9A-F]{24}$/);
  expect(await examineSetUp(directory, { server: cluster.connection })).toMatchObject({
    "archiving-works": { severity: "ok", what: expect.stringContaining(`'${await archived()}'`) },
  });
});

test("a command that hangs counts as no failure, and is told by the age of what waits", async () => {
  const held = join(directory, "held");
  writeFileSync(held, "");
  await cluster.configure({ archive_command: `while [ -e ${held} ]; do sleep 0.1; done # soar-wal-archive %p %f` });
  try {
    await switchSegment();
    const status = join(cluster.dataDir, "pg_wal", "archive_status");
    const waiting = async () => (await readdir(status)).filter((name) => name.endsWith(".ready"));
    await expect.poll(async () => (await waiting()).length).toBe(1);
    const longAgo = new Date(Date.now() - 20 * 60_000);
    for (const name of await waiting()) utimesSync(join(status, name), longAgo, longAgo);
    expect(await examineSetUp(directory, { server: cluster.connection })).toMatchObject({
      "archiving-stuck": saying(
        "error",
        /nothing fails, but the oldest of 1 files waits for 20 minutes/,
        /hangs, or ends by a signal/,
      ),
    });
  } finally {
    rmSync(held);
  }
});

test("a launcher that is nowhere, and an env file that is not the one of archive_command", async () => {
  await cluster.configure({ archive_command: "soar-wal-archive --env-file /etc/soar/other-env %p %f" });
  const envFile = join(directory, "backup-env");
  writeFileSync(envFile, "", { mode: 0o600 });
  chownSync(envFile, serverUser().uid, serverUser().gid);
  expect(await examineSetUp(directory, { server: cluster.connection, envFile })).toMatchObject({
    "launcher-missing": saying("error", /runs 'soar-wal-archive', which is in none of/, /Install @soar\/wal-archiver/),
    "env-file-other": saying("warning", /archive_command reads '\/etc\/soar\/other-env'/, /Write --env-file/),
  });
});

test("an archive library takes the place of the command", async () => {
  // archive_library came with PostgreSQL 15.
  if (cluster.installation.major < 15) throw new Error("the suite needs PostgreSQL 15 or newer");
  await cluster.configure({ archive_command: "", archive_library: "basic_archive" });
  expect(await examineSetUp(directory, { server: cluster.connection })).toMatchObject({
    "archive-library": saying("error", /archive_library is 'basic_archive'/, /Set archive_library = ''/),
  });
});
