import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createTestCluster,
  loadAviationData,
  postgresMajors,
  requireInstallation,
  type TestCluster,
} from "@soar-tooling/postgres-clusters";
import { requires } from "@soar-tooling/test-bench";
import { expect, onTestFinished, test } from "vitest";
import { baseBackup } from "./base-backup.ts";
import type { BaseBackupEvent } from "./base-backup-stream.ts";
import { connectReplication } from "./replication-connection.ts";

interface Collected {
  readonly start: Extract<BaseBackupEvent, { type: "start" }>;
  readonly end: Extract<BaseBackupEvent, { type: "end" }>;
  readonly archives: { name: string; oid: number | undefined; location: string | undefined; chunks: Buffer[] }[];
  readonly manifest: Buffer;
  readonly progress: number[];
  /** Digest over all chunks at the moment of their arrival. */
  readonly digestOnArrival: string;
}

async function collect(
  cluster: TestCluster,
  options: { readonly onChunk?: () => Promise<void> } = {},
): Promise<Collected> {
  await using connection = await connectReplication(cluster.connection);
  const events: Partial<Record<"start" | "end", BaseBackupEvent>> = {};
  const [archives, manifest, progress, digest]: [
    Collected["archives"],
    Buffer[],
    number[],
    ReturnType<typeof createHash>,
  ] = [[], [], [], createHash("sha256")];
  for await (const event of baseBackup(connection, { label: "it's a test", checkpoint: "fast" })) {
    if (event.type === "start" || event.type === "end") events[event.type] = event;
    if (event.type === "archive") archives.push({ ...event, chunks: [] });
    if (event.type === "progress") progress.push(event.done);
    if (event.type === "manifest") manifest.push(event.chunk);
    if (event.type !== "data") continue;
    digest.update(event.chunk);
    archives.at(-1)?.chunks.push(event.chunk);
    await options.onChunk?.();
  }
  const { start, end } = events;
  if (start?.type !== "start" || end?.type !== "end") throw new Error("the backup had no start or no end");
  return { start, end, archives, progress, manifest: Buffer.concat(manifest), digestOnArrival: digest.digest("hex") };
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "soar-base-backup-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test.each(postgresMajors())(
  "takes a whole backup of PostgreSQL $major with its tablespace and manifest",
  async (installation) => {
    await using cluster = await createTestCluster({ installation, initdbArgs: ["--data-checksums"] });
    const location = cluster.tablespaceDir("ts");
    await cluster.query(`create tablespace extra location '${location}'`);
    await cluster.query("create table t tablespace extra as select n, md5(n::text) from generate_series(1, 20000) n");
    const [space] = await cluster.query<{ oid: number }>("select oid::int from pg_tablespace where spcname = 'extra'");

    const backup = await collect(cluster);

    expect(backup.start).toMatchObject({
      timeline: 1,
      tablespaces: [
        { oid: space?.oid, location },
        { oid: undefined, location: undefined },
      ],
    });
    expect(backup.end).toMatchObject({ timeline: 1, damaged: undefined });
    expect(backup.end.stopLsn).toBeGreaterThan(backup.start.startLsn);
    expect(backup.archives.map(({ name, oid }) => ({ name, oid }))).toEqual([
      { name: `${space?.oid}.tar`, oid: space?.oid },
      { name: "base.tar", oid: undefined },
    ]);
    expect(backup.archives[0]?.location).toBe(location);
    // Chunks that were kept to the end still hold what they held on arrival.
    const kept = createHash("sha256");
    for (const { chunks } of backup.archives) for (const chunk of chunks) kept.update(chunk);
    expect(kept.digest("hex")).toBe(backup.digestOnArrival);
    // The estimate and the progress speak of the same amount.
    const estimate = backup.start.tablespaces.reduce((sum, { estimatedBytes = 0 }) => sum + estimatedBytes, 0);
    expect(Math.abs((backup.progress.at(-1) ?? 0) - estimate) / estimate).toBeLessThan(0.1);
    await expectFilesOfManifest(backup, await temporaryDirectory());
  },
);

/** Every file of the manifest is in the archives, with its size and checksum as the manifest says (CRC32C is checked by size and by pg_verifybackup below). */
async function expectFilesOfManifest(backup: Collected, directory: string): Promise<void> {
  for (const { name, chunks } of backup.archives) await writeFile(join(directory, name), Buffer.concat(chunks));
  const listed = new Map<string, number>();
  for (const { name, oid } of backup.archives) {
    const { stdout } = spawnSync("tar", ["tvf", join(directory, name)], { encoding: "utf8", maxBuffer: 64 * 2 ** 20 });
    for (const line of stdout.split("\n").filter((text) => text.startsWith("-"))) {
      const [, , size, , , path] = line.split(/\s+/);
      listed.set(`${oid === undefined ? "" : `pg_tblspc/${oid}/`}${String(path)}`, Number(size));
    }
  }
  const manifest = JSON.parse(backup.manifest.toString()) as { Files: { Path: string; Size: number }[] };
  expect(manifest.Files.length).toBeGreaterThan(900);
  for (const file of manifest.Files) expect([file.Path, listed.get(file.Path)]).toEqual([file.Path, file.Size]);
  expect(listed.has("backup_label") && listed.has("tablespace_map")).toBe(true);
}

test("pg_verifybackup accepts the files", requires("postgres-clients"), async () => {
  const installation = requireInstallation("pg_verifybackup");
  await using cluster = await createTestCluster({ installation, databases: ["soar"] });
  await loadAviationData((sql) => cluster.query(sql, undefined, "soar"), { sizeMb: 30, days: 1 });
  const backup = await collect(cluster);
  const directory = await temporaryDirectory();
  await writeFile(join(directory, "base.tar"), Buffer.concat(backup.archives[0]?.chunks ?? []));
  await writeFile(join(directory, "backup_manifest"), backup.manifest);
  spawnSync("tar", ["xf", "base.tar"], { cwd: directory });
  await rm(join(directory, "base.tar"));
  const verified = spawnSync(join(installation.binDir, "pg_verifybackup"), ["--no-parse-wal", directory], {
    encoding: "utf8",
  });
  expect(verified).toMatchObject({ status: 0, stderr: "" });
});

test.each(postgresMajors())(
  "reports damaged pages of PostgreSQL $major and delivers the rest all the same",
  async (installation) => {
    await using cluster = await createTestCluster({ installation, initdbArgs: ["--data-checksums"] });
    await cluster.query("create table t as select n, md5(n::text) from generate_series(1, 20000) n; checkpoint");
    const [file] = await cluster.query<{ path: string }>("select pg_relation_filepath('t') as path");
    const path = String(file?.path);
    await cluster.stop();
    await damage(join(cluster.dataDir, path), [2, 3, 5, 6, 7, 8, 9]);
    await cluster.start();

    const backup = await collect(cluster);

    expect(backup.end.damaged).toMatchObject({ files: [{ path, blocks: [2, 3, 5, 6, 7], total: 7 }] });
    expect(backup.end.damaged?.message).toContain("checksum");
    expect(backup.end.stopLsn).toBeGreaterThan(backup.start.startLsn);
    expect(backup.manifest.toString()).toContain("Manifest-Checksum");
  },
);

async function damage(path: string, blocks: readonly number[]): Promise<void> {
  const file = await open(path, "r+");
  for (const block of blocks) await file.write(Buffer.from("damaged"), 0, 7, block * 8192 + 4000);
  await file.close();
}

test("a consumer slower than wal_sender_timeout slows the server down and loses nothing", async () => {
  await using cluster = await createTestCluster({
    installation: requireInstallation(),
    settings: { wal_sender_timeout: "500ms", tcp_user_timeout: "500ms" },
  });
  await cluster.query("create table t as select n, repeat('x', 700) from generate_series(1, 60000) n");
  await using connection = await connectReplication(cluster.connection);
  let bytes = 0;
  let waited = false;
  let largestQueue = 0;
  for await (const event of baseBackup(connection, { label: "slow", checkpoint: "fast" })) {
    if (event.type !== "data") continue;
    bytes += event.chunk.length;
    if (!waited && bytes > 5_000_000) {
      waited = true;
      // The server's own clock passes four times its timeout while nobody reads here.
      await cluster.query("select pg_sleep(2)");
      const [sender] = await cluster.query("select wait_event from pg_stat_activity where backend_type = 'walsender'");
      expect(sender).toMatchObject({ wait_event: "ClientWrite" });
    }
    largestQueue = Math.max(largestQueue, connection.queuedBytes);
  }
  expect(bytes).toBeGreaterThan(45_000_000);
  expect(largestQueue).toBeLessThan(2 * 2 ** 20);
  expect(await cluster.log()).not.toContain("replication timeout");
});

test("an abort ends the backup in the server at once, even while it waits for a checkpoint", async () => {
  await using cluster = await createTestCluster({
    installation: requireInstallation(),
    settings: { checkpoint_timeout: "1h", checkpoint_completion_target: "0.9" },
  });
  await cluster.query("create table t as select n, repeat('x', 700) from generate_series(1, 60000) n");
  await using connection = await connectReplication(cluster.connection);
  const stop = new AbortController();
  const events = baseBackup(connection, { label: "spread", checkpoint: "spread", signal: stop.signal });
  const first = events.next();
  await expect.poll(() => cluster.query("select state from pg_stat_replication")).toEqual([{ state: "backup" }]);
  stop.abort();
  await expect(first).rejects.toMatchObject({ code: "ABORTED" });
  await expect
    .poll(() => cluster.query("select count(*)::int as n from pg_stat_activity where backend_type = 'walsender'"))
    .toEqual([{ n: 0 }]);
});

test("leaving the loop early ends the backup in the server", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation() });
  await using connection = await connectReplication(cluster.connection);
  for await (const event of baseBackup(connection, { label: "left", checkpoint: "fast" }))
    if (event.type === "data") break;
  await expect
    .poll(() => cluster.query("select count(*)::int as n from pg_stat_activity where backend_type = 'walsender'"))
    .toEqual([{ n: 0 }]);
  await expect(connection.query("IDENTIFY_SYSTEM", { action: "identify" })).rejects.toMatchObject({ code: "ABORTED" });
});

test("a server that dies in the middle leaves an incomplete backup, not a short one", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation() });
  await cluster.query("create table t as select n, repeat('x', 700) from generate_series(1, 60000) n");
  await using connection = await connectReplication(cluster.connection);
  const reading = async (): Promise<void> => {
    let killed = false;
    for await (const event of baseBackup(connection, { label: "dies", checkpoint: "fast" })) {
      if (event.type !== "data" || killed) continue;
      killed = true;
      await cluster.kill();
    }
  };
  await expect(reading()).rejects.toMatchObject({ code: "BACKUP_INCOMPLETE" });
});

test("an administrator's pg_terminate_backend leaves an incomplete backup", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation() });
  await cluster.query("create table t as select n, repeat('x', 700) from generate_series(1, 60000) n");
  await using connection = await connectReplication(cluster.connection);
  const reading = async (): Promise<void> => {
    let ended = false;
    for await (const event of baseBackup(connection, { label: "ended", checkpoint: "fast" })) {
      if (event.type !== "data" || ended) continue;
      ended = true;
      await cluster.query("select pg_terminate_backend(pid) from pg_stat_replication");
    }
  };
  await expect(reading()).rejects.toMatchObject({ code: "BACKUP_INCOMPLETE" });
});

test("a server that cannot back up says so before anything is sent", async () => {
  await using cluster = await createTestCluster({
    installation: requireInstallation(),
    settings: { wal_level: "minimal", max_wal_senders: 0 },
  });
  await expect(connectReplication(cluster.connection)).rejects.toMatchObject({ code: "SERVER_UNSUITABLE" });
});

test("manifest and checksum verification can be switched off, and the rate limited", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation() });
  await using connection = await connectReplication(cluster.connection);
  const types = new Set<string>();
  for await (const event of baseBackup(connection, {
    label: "x",
    checkpoint: "fast",
    manifest: false,
    verifyChecksums: false,
    maxRateKilobytes: 1_048_576,
  }))
    types.add(event.type);
  expect([...types].sort()).toEqual(["archive", "archive-end", "data", "end", "progress", "start"]);
  expect((await stat(cluster.dataDir)).isDirectory()).toBe(true);
});
