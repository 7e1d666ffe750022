import { chownSync, mkdirSync } from "node:fs";
import { chmod, cp, mkdir, open, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseBackupManifest } from "@soar/pg-tools/manifest";
import { connectSql, readServerFacts } from "@soar/pg-tools/replication";
import { BACKUP_OBJECTS, readBackupObject, type BackupRecord } from "@soar/repository";
import { type PostgresInstallation, postgresMajors } from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BackupSource, filesSource, filesSourceOr, replicationSource } from "../src/index.ts";
import { createBackupWorld, type BackupWorld } from "./backup-world.ts";
import { expectNoBackup } from "./expect-no-backup.ts";
import { readArchives } from "./extract-backup.ts";

/** A checkpoint lies between two backups of one cluster; nothing else may differ. */
const BY_CHECKPOINT = new Set([
  "backup_label",
  "tablespace_map",
  "global/pg_control",
  "pg_logical/replorigin_checkpoint",
]);

describe.each(postgresMajors())("the files of PostgreSQL $version", (installation) => {
  let world: BackupWorld;

  beforeAll(async () => {
    world = await createBackupWorld({ installation, settings: { autovacuum: "off" } });
    await plantOddities(world);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("read by several readers are the ones that the server sends, entry by entry and byte by byte", async () => {
    await world.cluster.query("checkpoint");
    const sent = await world.take({ label: "2025-01-01" });
    const read = await world.take({ label: "2025-01-02", source: filesSource(world.cluster.connection) });
    expect([sent.source.method, read.source.method]).toEqual(["replication", "files"]);
    expect(await entriesOf(world, read)).toEqual(await entriesOf(world, sent));
    const [own, servers] = [await manifestOf(world, read), await manifestOf(world, sent)];
    expect(own.files).toEqual(servers.files);
    expect([own.version, own.systemIdentifier]).toEqual([servers.version, servers.systemIdentifier]);
    expect(read.leftOut).toEqual(sent.leftOut);
  });

  test("are found again by an incremental, whichever way the full one was read", async () => {
    const incremental = { fullEveryMs: 365 * 86_400_000 };
    const source = filesSource(world.cluster.connection);
    const full = await world.take({ label: "2025-02-01" });
    const next = await world.take({ label: "2025-02-02", source, incremental });
    const last = await world.take({ label: "2025-02-03", source, incremental });
    expect([next.kind, last.kind]).toEqual(["incremental", "incremental"]);
    expect(next.references).toEqual([full.label]);
    // Bundles of small files hold them in another order; chunks of large ones are the same.
    expect(next.sizes.new).toBeLessThan(full.sizes.new * 0.7);
    expect(last.references).toEqual([full.label, next.label]);
    expect(last.sizes.new).toBeLessThan(full.sizes.new / 20);
  });

  test("and the WAL beside them are read no faster than the rate limit allows, whatever they are read for", async () => {
    const { cluster } = world;
    const source = filesSource(cluster.connection);
    await using sql = await connectSql(cluster.connection);
    await source.check(await readServerFacts(sql));
    const stop = new AbortController();
    const request = {
      label: "x",
      checkpoint: "fast",
      rateLimitBytes: 1,
      signal: stop.signal,
      onProgress() {},
    } as const;
    await using running = await source.begin(request);
    const { local } = running;
    const [row] = await cluster.query<{ name: string }>("select pg_walfile_name(pg_current_wal_lsn()) as name");
    const read = async (): Promise<Buffer | undefined> => {
      for await (const piece of (await local?.openWal(row?.name ?? "")) ?? []) return piece;
      return undefined;
    };
    // The first bytes are free: after them whoever wants more waits for days.
    expect(await read()).toHaveLength(1024 ** 2);
    const waiting = [local?.pace(1), read()];
    stop.abort();
    for (const each of waiting) await expect(each).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("with a damaged page are stored all the same, and the record names it", async () => {
    await world.cluster.query("create table d as select n, md5(n::text) from generate_series(1, 5000) n");
    const [row] = await world.cluster.query<{ path: string }>("select pg_relation_filepath('d') as path");
    await world.cluster.restart();
    await using file = await open(join(world.cluster.dataDir, row?.path ?? ""), "r+");
    await file.write(Buffer.from("damage"), 0, 6, 3 * 8192 + 5000);
    const read = await world.take({ label: "2025-03-01", source: filesSource(world.cluster.connection) });
    const sent = await world.take({ label: "2025-03-02" });
    expect(read.damagedPages).toMatchObject([{ path: row?.path, detail: "blocks 3" }]);
    expect(read.damagedPages).toEqual(sent.damagedPages);
    await world.cluster.query("drop table d");
  });
});

/** What a data directory may hold beside plain tables; the rules of each are `basebackup.c`'s. */
async function plantOddities({ cluster }: BackupWorld): Promise<void> {
  await cluster.query("create table t as select n, md5(n::text) from generate_series(1, 50000) n");
  await cluster.query("create index on t (n)");
  await cluster.query("vacuum t");
  await cluster.query("create unlogged table u as select n from generate_series(1, 1000) n");
  await cluster.query("create unlogged sequence s").catch(() => undefined);
  await cluster.query(`create tablespace extra location '${cluster.tablespaceDir("extra")}'`);
  await cluster.query("create table e tablespace extra as select n from generate_series(1, 100000) n");
  await cluster.query("create unlogged table eu tablespace extra as select 1 as n");
  const at = (path: string): string => join(cluster.dataDir, path);
  await writeFile(at("odd-pgsql_tmp"), "a name that only holds it");
  await mkdir(at("odd"));
  await mkdir(at("odd/pg_notify"));
  await writeFile(at("odd/pg_notify/0000"), "left out wherever it lies");
  await writeFile(at("odd/backup_label"), "left out, too");
  await writeFile(at("odd/pg_internal.init.12"), "left out");
  await writeFile(at("odd/t3_16384"), "not in a database, so it stays");
  await writeFile(Buffer.from(at("odd/caf\xe9"), "latin1"), "a name that is no UTF-8");
  await writeFile(at(`odd/${"long".repeat(20)}`), "x".repeat(600_000));
  await symlink("/etc/hostname", at("odd/link"));
  await rename(at("pg_stat_tmp"), at("pg_stat_tmp.old"));
  await mkdir(at("elsewhere"));
  await symlink(at("elsewhere"), at("pg_stat_tmp"));
  await chmod(at("odd"), 0o777);
}

async function entriesOf({ store }: BackupWorld, record: BackupRecord): Promise<string[]> {
  const archives = await readArchives(store, record);
  return archives
    .flatMap(({ name, entries }) =>
      entries
        .filter(({ path }) => !BY_CHECKPOINT.has(path))
        .map(({ path, type, size, mode, mtime, uid, gid, link }) =>
          [name, path, type, size, mode.toString(8), type === "file" ? mtime : "", uid, gid, link].join(" "),
        ),
    )
    .toSorted();
}

async function manifestOf(
  { store }: BackupWorld,
  record: BackupRecord,
): Promise<{ files: string[]; version: number; systemIdentifier: bigint | undefined }> {
  const { files, version, systemIdentifier } = parseBackupManifest(
    await readBackupObject(store, record, BACKUP_OBJECTS.manifest),
  );
  const described = files
    .filter(({ path }) => !BY_CHECKPOINT.has(path))
    .map(
      ({ path, pathBytes, size, checksum, lastModified }) =>
        `${path} ${pathBytes?.toString("hex")} ${size} ${checksum?.value} ${lastModified.toISOString()}`,
    );
  return { files: described.toSorted(), version, systemIdentifier };
}

function requireFirst(installation: PostgresInstallation | undefined): PostgresInstallation {
  if (installation === undefined) throw new Error("a server is needed");
  return installation;
}

describe("where the files of the server are not at hand", () => {
  const [installation] = postgresMajors();
  let world: BackupWorld;
  let other: BackupWorld;
  const reasons: string[] = [];

  beforeAll(async () => {
    if (installation === undefined) throw new Error("a server is needed");
    world = await createBackupWorld({ installation });
    other = await createBackupWorld({ installation });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });

  /** The source of the one server, that is told of the other's data directory. */
  function misled(source: BackupSource): BackupSource {
    return {
      get method() {
        return source.method;
      },
      check: (facts) => source.check({ ...facts, dataDirectory: other.cluster.dataDir }),
      begin: (request) => source.begin(request),
    };
  }

  test("a tablespace whose path is no UTF-8 is read through the server, and not left out", async () => {
    const strange = Buffer.concat([Buffer.from(other.cluster.tablespaceDir("strange")), Buffer.from([0xe9])]);
    mkdirSync(strange);
    chownSync(strange, serverUser().uid, serverUser().gid);
    await using odd = await createBackupWorld({
      installation: requireFirst(installation),
      initdbArgs: ["--wal-segsize=1", "--encoding=SQL_ASCII"],
    });
    const location = strange.subarray(0, -1).toString("utf8");
    await odd.cluster.query(`create tablespace strange location E'${location}\\351'`);
    await odd.cluster.query("create table s tablespace strange as select n from generate_series(1, 1000) n");
    const [row] = await odd.cluster.query<{ path: string }>("select pg_relation_filepath('s') as path");
    const told: string[] = [];
    const { connection } = odd.cluster;
    const source = filesSourceOr(connection, replicationSource(connection), (reason) => told.push(reason));
    const record = await odd.take({ source });
    expect([record.source.method, told]).toEqual(["replication", [expect.stringContaining("is no UTF-8")]]);
    const archives = await readArchives(odd.store, record);
    const paths = archives.flatMap(({ entries }) => entries.map(({ path }) => path));
    expect(paths.some((path) => path.endsWith((row?.path ?? "").split("/").slice(-2).join("/")))).toBe(true);
  });

  test("a data directory of another cluster is not taken for the server's", async () => {
    await expect(world.take({ source: misled(filesSource(world.cluster.connection)) })).rejects.toMatchObject({
      code: "SERVER_UNSUITABLE",
      message: expect.stringContaining(
        `'${other.cluster.dataDir}' on this machine is not its data directory`,
      ) as string,
      hint: expect.stringContaining("BACKUP_METHOD=replication") as string,
    });
    await expectNoBackup(world.store);
  });

  test("nor is a copy of it, which a moment ago was the same", async () => {
    await world.cluster.query("checkpoint");
    const copy = other.cluster.tablespaceDir("copy");
    await cp(world.cluster.dataDir, copy, { recursive: true });
    const source = filesSource(world.cluster.connection);
    const copied: BackupSource = {
      ...source,
      check: (facts) => source.check({ ...facts, dataDirectory: copy }),
    };
    await expect(world.take({ source: copied })).rejects.toMatchObject({ code: "SERVER_UNSUITABLE" });
  });

  test("the server is read over the replication protocol, with a word why", async () => {
    const server = world.cluster.connection;
    const source = misled(filesSourceOr(server, replicationSource(server), (reason) => reasons.push(reason)));
    const record = await world.take({ source });
    expect(record.source.method).toBe("replication");
    expect(reasons).toEqual([expect.stringContaining("is not its data directory") as string]);
  });

  test("a role that may not begin a backup is told so", async () => {
    await world.cluster.query("create role taker login replication");
    await world.cluster.query("grant pg_read_all_settings to taker");
    const server = { ...world.cluster.connection, user: "taker" };
    await expect(world.take({ server, source: filesSource(server) })).rejects.toMatchObject({
      code: "SERVER_UNSUITABLE",
      message: expect.stringContaining("may not call pg_backup_start") as string,
    });
  });
});
