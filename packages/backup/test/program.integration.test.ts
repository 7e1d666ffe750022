// @module-tag needs-postgres-clients
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { parseBackupManifest } from "@soar/pg-tools/manifest";
import { BACKUP_OBJECTS, listBackupDirectories, readBackupObject, type BackupRecord } from "@soar/repository";
import { postgresMajors, requireInstallation } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filesSource, programSource, type BackupEvent, type BackupSource } from "../src/index.ts";
import { createBackupWorld, type BackupWorld } from "./backup-world.ts";
import { expectNoBackup } from "./expect-no-backup.ts";
import { extractBackup, readArchives } from "./extract-backup.ts";
import { startWalCourier } from "./wal-courier.ts";

/** Found when a test asks, because the file is read where its tests are skipped, too. */
const installation = () => requireInstallation("pg_basebackup", "pg_verifybackup");
const binDir = () => installation().binDir;
const PASSWORD = "a-password-that-shows";
let world: BackupWorld;

beforeAll(async () => {
  world = await createBackupWorld({
    installation: installation(),
    password: PASSWORD,
    settings: { autovacuum: "off" },
  });
  await world.cluster.query("create table t as select n, md5(n::text) from generate_series(1, 50000) n");
});
afterAll(() => world[Symbol.asyncDispose]());

let days = 0;

/** Runs follow each other within a second, for which dates have no name. */
function nextLabel(): string {
  days += 1;
  return new Date(Date.UTC(2025, 5, days)).toISOString().slice(0, 10);
}

function source(options: Partial<Parameters<typeof programSource>[1]> = {}, port = world.cluster.port): BackupSource {
  return programSource({ ...world.cluster.connection, port }, { binDir: binDir(), walTimeoutMs: 20_000, ...options });
}

/** What the seek table says of every entry but its time and place. */
async function entriesOf(record: BackupRecord): Promise<string[]> {
  const [archive, ...others] = await readArchives(world.store, record);
  expect(others).toEqual([]);
  return [...(archive?.entries ?? [])]
    .map(({ path, type, size, mode, uid, gid, link }) => [path, type, size, mode, uid, gid, link].join(" "))
    .sort();
}

/** What the server's manifest says of every file. */
async function filesOf(record: BackupRecord): Promise<string[]> {
  const { files } = parseBackupManifest(await readBackupObject(world.store, record, BACKUP_OBJECTS.manifest));
  return files
    .filter(({ path }) => !BY_CHECKPOINT.has(path))
    .map(({ path, size, checksum }) => `${path} ${size} ${checksum?.value}`)
    .sort();
}

/** A checkpoint lies between two backups of one cluster; nothing else may differ. */
const BY_CHECKPOINT = new Set(["backup_label", "global/pg_control"]);

test("the same cluster through the program and through the replication protocol gives equal content, file by file", async () => {
  await world.cluster.query("checkpoint");
  const replicated = await world.take({ label: "2025-01-01" });
  const events: BackupEvent[] = [];
  const spawned = await world.take({ label: "2025-01-02", source: source(), onEvent: (event) => events.push(event) });

  expect([replicated.source.method, spawned.source.method]).toEqual(["replication", "pg_basebackup"]);
  expect(spawned.objects.map(({ name }) => name).sort()).toEqual(replicated.objects.map(({ name }) => name).sort());
  expect(await entriesOf(spawned)).toEqual(await entriesOf(replicated));
  expect(await filesOf(spawned)).toEqual(await filesOf(replicated));
  const verified = spawnSync(
    join(binDir(), "pg_verifybackup"),
    ["--no-parse-wal", await extractBackup(world.store, spawned)],
    { encoding: "utf8" },
  );
  expect(verified).toMatchObject({ status: 0, stderr: "" });
  // Both tell how far they are, of how much.
  const last = events.filter((event) => event.type === "progress").at(-1);
  expect(last?.total).toBeGreaterThan(spawned.sizes.database * 0.9);
});

test("an incremental through the program finds the chunks of a full one through the replication protocol", async () => {
  const full = await world.take({ label: "2025-02-01" });
  const next = await world.take({
    label: "2025-02-02",
    source: source(),
    incremental: { fullEveryMs: 365 * 86_400_000 },
  });
  expect(next).toMatchObject({ kind: "incremental", references: [full.label] });
  expect(next.sizes.new).toBeLessThan(full.sizes.new / 5);
});

test("the password is in no argument, and no message shows it", async () => {
  const seen: string[] = [];
  const onEvent = (): void => {
    for (const id of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      const line = commandLine(id);
      if (line.includes("pg_basebackup\0--")) seen.push(line);
    }
  };
  await world.take({ label: nextLabel(), source: source(), onEvent, rateLimitBytes: 16 * 2 ** 20 });
  expect(seen.length).toBeGreaterThan(0);
  expect(seen.filter((line) => line.includes(PASSWORD))).toEqual([]);
  const denied = world.take({
    label: nextLabel(),
    source: programSource(
      { ...world.cluster.connection, password: "wrong-password" },
      { binDir: binDir(), walTimeoutMs: 1000 },
    ),
  });
  await expect(denied).rejects.toMatchObject({
    code: "SERVER_DENIED",
    message: expect.not.stringContaining("wrong-password") as string,
  });
  await expectRecovery();
});

function commandLine(id: string): string {
  try {
    return readFileSync(`/proc/${id}/cmdline`, "utf8");
  } catch {
    // It has ended meanwhile.
    return "";
  }
}

/** What failed is no backup, and the program is gone; the next run cleans up and is one. */
async function expectRecovery(): Promise<void> {
  expect(await world.store.abortStaleUploads("base/", new Date("9999-12-31T00:00:00Z"))).toEqual([]);
  // The server notices at its next write that the program is gone.
  await expect.poll(() => world.cluster.query("select pid from pg_stat_replication"), { timeout: 20_000 }).toEqual([]);
  await world.take({ source: source(), label: nextLabel() });
  const unfinished = (await listBackupDirectories(world.store)).filter(({ record }) => record === undefined);
  expect(unfinished).toEqual([]);
}

test("what the program ends with is passed on, and nothing of the backup stays", async () => {
  let killed: Promise<unknown> | undefined;
  const onEvent = ({ type }: BackupEvent): void => {
    if (type === "progress")
      killed ??= world.cluster.query("select pg_terminate_backend(pid) from pg_stat_replication");
  };
  const failed = world.take({ label: nextLabel(), source: source(), rateLimitBytes: 2 ** 21, onEvent });
  await expect(failed).rejects.toMatchObject({
    code: "BACKUP_INCOMPLETE",
    message: expect.stringMatching(/pg_basebackup ended with 1: error: /) as string,
  });
  await expectRecovery();
});

test("a signal ends the program, too", async () => {
  const stop = new AbortController();
  const onEvent = ({ type }: BackupEvent): void => void (type === "progress" && stop.abort());
  await expect(
    world.take({ label: nextLabel(), source: source(), rateLimitBytes: 2 ** 21, signal: stop.signal, onEvent }),
  ).rejects.toMatchObject({ code: "ABORTED" });
  await expectRecovery();
});

test("tablespaces are refused before anything is begun, with the way out", async () => {
  await world.cluster.query(`create tablespace extra location '${world.cluster.tablespaceDir("extra")}'`);
  await expect(world.take({ source: source() })).rejects.toMatchObject({
    code: "SERVER_UNSUITABLE",
    message: expect.stringContaining("the cluster has the tablespace 'extra'") as string,
    hint: expect.stringContaining("--method replication") as string,
  });
  await world.cluster.query("drop tablespace extra");
});

/** The program, saying of itself that it is of another major. */
function programOfMajor(major: number): string {
  const directory = join(world.cluster.tablespaceDir(`bin${major}`));
  const path = join(directory, "pg_basebackup");
  mkdirSync(directory, { recursive: true });
  writeFileSync(
    path,
    `#!/bin/sh\n[ "$1" = --version ] && { echo "pg_basebackup (PostgreSQL) ${major}.1"; exit; }\nexec ${join(binDir(), "pg_basebackup")} "$@"\n`,
  );
  chmodSync(path, 0o755);
  return directory;
}

test("a program of a newer major is accepted, by its own rules; an older one is refused and named", async () => {
  await expect(
    world.take({ label: nextLabel(), source: source({ binDir: programOfMajor(18) }) }),
  ).resolves.toMatchObject({ source: { method: "pg_basebackup" } });
  const newer = postgresMajors().find(({ major }) => major > installation().major);
  if (newer === undefined) throw new Error("two majors are needed");
  await using other = await createBackupWorld({ installation: newer });
  const options = { server: { ...other.cluster.connection, applicationName: "test" } };
  await expect(
    other.take({
      ...options,
      source: programSource(other.cluster.connection, { binDir: binDir(), walTimeoutMs: 1000 }),
    }),
  ).rejects.toMatchObject({
    code: "SERVER_VERSION",
    message: expect.stringMatching(
      new RegExp(
        `unable to find pg_basebackup of PostgreSQL ${newer.major} or newer: .* has ${installation().version}`,
      ),
    ) as string,
    hint: expect.stringContaining("BACKUP_METHOD=replication") as string,
  });
  // Where it only seems to be new enough, it says itself what is wrong.
  await expect(
    other.take({
      ...options,
      source: programSource(other.cluster.connection, { binDir: programOfMajor(19), walTimeoutMs: 1000 }),
    }),
  ).rejects.toMatchObject({
    code: "SERVER_VERSION",
    message: expect.stringContaining(`incompatible server version ${newer.version}`) as string,
  });
});

test("a server that waits for its archive without end is not waited for", async () => {
  const courier = await startWalCourier();
  await using slow = await createBackupWorld({
    installation: installation(),
    archiveCommand: `sleep 2 && ${courier.archiveCommand}`,
  });
  courier.deliverTo(slow.store);
  const failed = slow.take({ source: programSource(slow.cluster.connection, { binDir: binDir(), walTimeoutMs: 300 }) });
  await expect(failed).rejects.toMatchObject({
    code: "WAL_TIMEOUT",
    message: expect.stringContaining("the server waited 0 s for its last WAL segments to be archived") as string,
  });
  await expectNoBackup(slow.store);
  await slow.cluster.stop("immediate");
  await courier.close();
});

test("a damaged page at the source does not cost the backup, and is recorded", async () => {
  const { cluster } = world;
  await cluster.query("create table bad as select n, md5(n::text) from generate_series(1, 20000) n; checkpoint");
  const [file] = await cluster.query<{ path: string }>("select pg_relation_filepath('bad') as path");
  const path = String(file?.path);
  await cluster.stop();
  const handle = await open(join(cluster.dataDir, path), "r+");
  await handle.write(Buffer.from("damaged"), 0, 7, 3 * 8192 + 4000);
  await handle.close();
  await cluster.start();
  expect(await world.take({ label: nextLabel(), source: source() })).toMatchObject({
    damagedPages: [{ path, detail: "blocks 3" }],
  });
});

test("pg_verifybackup accepts what was read from the files, full and incremental, with a tablespace", async () => {
  await world.cluster.query(`create tablespace verified location '${world.cluster.tablespaceDir("verified")}'`);
  await world.cluster.query("create table v tablespace verified as select n from generate_series(1, 100000) n");
  const files = filesSource(world.cluster.connection);
  const full = await world.take({ label: nextLabel(), source: files });
  await world.cluster.query("insert into v select n from generate_series(1, 1000) n");
  const next = await world.take({ label: nextLabel(), source: files, incremental: { fullEveryMs: 365 * 86_400_000 } });
  for (const record of [full, next]) {
    const verified = spawnSync(
      join(binDir(), "pg_verifybackup"),
      ["--no-parse-wal", await extractBackup(world.store, record)],
      { encoding: "utf8" },
    );
    expect(verified).toMatchObject({ status: 0, stderr: "" });
  }
  expect(full.objects.map(({ name }) => name)).toEqual(expect.arrayContaining(["backup_label", "tablespace_map"]));
  await world.cluster.query("drop table v");
  await world.cluster.query("drop tablespace verified");
});
