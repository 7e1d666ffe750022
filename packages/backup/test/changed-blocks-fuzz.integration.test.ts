import { postgresMajors, type PostgresInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { filesSource } from "../src/index.ts";
import { type BackupWorld, createBackupWorld } from "./backup-world.ts";
import { differencesOf } from "./compare-with-disk.ts";
import { numbersOf } from "./random-numbers.ts";
import { recoverBackup } from "./recover-backup.ts";
import { delivered, takeIncremental } from "./take-incremental.ts";

/** Seeds of a run by hand: `SOAR_MAP_ROUNDS=50 vitest run packages/backup/test/changed-blocks-fuzz.integration.test.ts`. */
const ROUNDS = Number(process.env["SOAR_MAP_ROUNDS"] ?? 1);
/** The first of them; a failure names its own. */
const SEED = Number(process.env["SOAR_MAP_SEED"] ?? 1);
const TABLES = 4;
const ROWS = 6_000;
/** Incrementals in a row, each on the one before. */
const CHAIN = 3;
/** Statements between two of them. */
const STATEMENTS_EACH = 14;

interface Step {
  /** Of one of the tables. */
  readonly table: string;
  /** Any number, another one each time. */
  readonly n: number;
}

type Statement = (step: Step) => readonly string[];

/** Index by access method: hash, GiST and SP-GiST change pages in ways of their own, BRIN and GIN in summaries and lists. */
const INDEXES = [
  "btree (n)",
  "hash (v)",
  "gist (point(n, n))",
  "spgist (v)",
  "gin (string_to_array(v, 'a'))",
  "brin (n)",
];

/** What changes files, in every way that PostgreSQL has. */
const STATEMENTS: readonly Statement[] = [
  ({ table, n }) => [`insert into ${table} select g, repeat(md5((g * ${n})::text), 6) from generate_series(1, 900) g`],
  ({ table, n }) => [`update ${table} set v = md5(v) || v where n % 97 = ${n % 97}`],
  // The same page, and no index: only the heap changes.
  ({ table, n }) => [`update ${table} set touched = ${n} where n % 211 = ${n % 211}`],
  ({ table, n }) => [`delete from ${table} where n % 53 = ${n % 53}`],
  ({ table, n }) => [`delete from ${table} where n > ${ROWS - (n % 3_000)}`, `vacuum (truncate) ${table}`],
  ({ table }) => [`vacuum ${table}`],
  ({ table }) => [`vacuum (freeze) ${table}`],
  ({ table }) => [`vacuum full ${table}`],
  ({ table }) => [`cluster ${table} using ${table}_n`],
  ({ table }) => [`reindex table ${table}`],
  ({ table }) => [`truncate ${table}`],
  ({ table, n }) => [`create index on ${table} using ${INDEXES[n % INDEXES.length]}`],
  ({ table, n }) => [
    `drop table if exists ${table}_copy`,
    `create table ${table}_copy as select * from ${table} where n % 3 = ${n % 3}`,
  ],
  ({ table, n }) => [
    "begin",
    `create table ${table}_${n} as select * from ${table} limit 500`,
    `insert into ${table} select * from ${table}_${n}`,
    n % 2 === 0 ? "commit" : "rollback",
  ],
  ({ table, n }) => [
    `begin; update ${table} set v = 'p' where n % 31 = ${n % 31}; prepare transaction 'p${n}'`,
    `${n % 2 === 0 ? "commit" : "rollback"} prepared 'p${n}'`,
  ],
  ({ table, n }) => [
    "begin",
    `savepoint s; update ${table} set touched = -${n} where n % 11 = 1; rollback to s`,
    `delete from ${table} where n % 401 = ${n % 401}`,
    "commit",
  ],
  ({ table }) => [`alter table ${table} set tablespace extra`],
  ({ table }) => [`alter table ${table} set tablespace pg_default`],
  ({ table }) => [`alter table ${table} set unlogged`, `alter table ${table} set logged`],
  ({ n }) => ["select lo_unlink(min(oid)) from pg_largeobject_metadata having min(oid) is not null", lobOf(n)],
  ({ n }) => [
    "drop database if exists copied",
    `create database copied template filled strategy ${n % 2 === 0 ? "file_copy" : "wal_log"}`,
  ],
  ({ n }) => [`@filled update t set v = 'x' || v where n % 41 = ${n % 41}`, "@filled vacuum t"],
  ({ n }) => [`alter database filled set tablespace ${n % 2 === 0 ? "extra" : "pg_default"}`],
  ({ n }) => [`create role r${n}`, `comment on role r${n} is '${"r".repeat(n % 900)}'`],
  () => ["checkpoint"],
  () => ["!crash"],
  () => ["!restart"],
];

function lobOf(n: number): string {
  return `select lo_from_bytea(0, repeat(md5('${n}'), ${n % 9_000})::bytea)`;
}

async function prepare({ cluster }: BackupWorld): Promise<void> {
  await cluster.query(`create tablespace extra location '${cluster.tablespaceDir("extra")}'`);
  for (const name of Array.from({ length: TABLES }, (_, at) => `t${at}`)) {
    await cluster.query(`create table ${name} (n bigint, v text, touched int) with (fillfactor = 80)`);
    await cluster.query(`create index ${name}_n on ${name} (n)`);
    await cluster.query(`insert into ${name} select g, repeat(md5(g::text), 4) from generate_series(1, ${ROWS}) g`);
  }
  await cluster.query("create database filled");
  await cluster.query(
    "create table t as select n, repeat(md5(n::text), 8) as v from generate_series(1, 20000) n",
    [],
    "filled",
  );
  // Pages that nothing changes: something has to be left unread.
  await cluster.query("create table quiet as select n, repeat(md5(n::text), 8) as v from generate_series(1, 60000) n");
  await cluster.query("vacuum freeze quiet");
}

/** Statements of one group run on one session, in which a transaction may span them. */
async function perform(cluster: TestCluster, statements: readonly string[]): Promise<void> {
  if (statements[0] === "!crash" || statements[0] === "!restart") {
    await cluster.stop(statements[0] === "!crash" ? "immediate" : "fast");
    await cluster.start();
  } else if (statements[0] === "begin") await cluster.query(statements.join("; "));
  else
    for (const statement of statements) {
      const [, other, sql] = /^@(\w+) (.*)$/s.exec(statement) ?? [];
      await cluster.query(sql ?? statement, [], other);
    }
}

const EXTENSIONS = ["amcheck", "pg_visibility"];

/** Where the server has the extensions: every heap and index is whole, and no bit of a visibility map says more than is true. */
async function expectSound(restored: TestCluster, told: string): Promise<void> {
  const available = await restored.query<{ name: string }>(
    `select name from pg_available_extensions where name in ('${EXTENSIONS.join("', '")}')`,
  );
  if (available.length < EXTENSIONS.length) return;
  for (const name of EXTENSIONS) await restored.query(`create extension ${name}`);
  const damaged = await restored.query(`
    select c.relname, v.message from pg_class c, verify_heapam(c.oid, check_toast => true) as v(b, o, a, message)
    where c.relkind in ('r', 'm', 't')`);
  const indexes = await restored.query(`
    select bt_index_parent_check(c.oid, heapallindexed => true, rootdescend => true)
    from pg_class c join pg_am a on a.oid = c.relam join pg_index i on i.indexrelid = c.oid
    where a.amname = 'btree' and c.relpersistence = 'p' and i.indisvalid`);
  const visible = await restored.query(`
    select c.relname from pg_class c, pg_check_visible(c.oid) as t where c.relkind in ('r', 'm', 't')
    union all select c.relname from pg_class c, pg_check_frozen(c.oid) as t where c.relkind in ('r', 'm', 't')`);
  expect({ damaged, visible }, told).toEqual({ damaged: [], visible: [] });
  expect(indexes.length).toBeGreaterThan(100);
}

async function contentOf(cluster: TestCluster): Promise<unknown> {
  const tables = await cluster.query<{ name: string }>(
    "select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1",
  );
  const content: unknown[] = [];
  for (const { name } of tables)
    content.push(
      name,
      await cluster.query(`select count(*)::int, md5(string_agg(t::text, ',' order by t::text)) from ${name} t`),
    );
  return content;
}

/** Resolves to how many bytes were left unread. */
async function liveThrough(installation: PostgresInstallation, seed: number): Promise<number> {
  await using world = await createBackupWorld({
    installation,
    settings: { autovacuum: "off", max_prepared_transactions: 5, max_wal_size: "64MB" },
  });
  const { cluster } = world;
  await prepare(world);
  await world.take({ label: "2025-01-01", source: filesSource(cluster.connection) });
  const next = numbersOf(seed);
  let turn = 1;
  let unread = 0;
  for (let link = 1; link <= CHAIN; link += 1) {
    const done: string[] = [];
    for (let count = 0; count < STATEMENTS_EACH; count += 1, turn += 1) {
      const statements = STATEMENTS[next() % STATEMENTS.length]?.({ table: `t${next() % TABLES}`, n: turn }) ?? [];
      done.push(...statements);
      await perform(cluster, statements);
    }
    await delivered(world);
    await cluster.query("checkpoint");
    const { record, told } = await takeIncremental(world, `2025-01-${String(link + 1).padStart(2, "0")}`);
    const what = `seed ${seed}, link ${link}: ${done.join("; ")}`;
    // All that is left unread was compared with what is on the disk.
    expect(told, what).toMatchObject([{ type: "changes-known" }, { type: "left-unread" }]);
    unread += record.sizes.unread ?? 0;
    expect(await differencesOf(world, record), what).toEqual([]);
    if (link < CHAIN) continue;
    const expected = await contentOf(cluster);
    await using restored = await recoverBackup(world, record, installation);
    expect(await contentOf(restored), what).toEqual(expected);
    await expectSound(restored, what);
    await restored.stop("immediate");
  }
  return unread;
}

const majors = ROUNDS === 1 ? [postgresMajors()[0]] : postgresMajors();

test.each(
  majors
    .filter((each) => each !== undefined)
    .flatMap((installation) => Array.from({ length: ROUNDS }, (_, round) => ({ installation, seed: SEED + round }))),
)(
  "incrementals of PostgreSQL $installation.major after whatever changes files are what is on the disk, and sound (seed $seed)",
  async ({ installation, seed }) => {
    expect(await liveThrough(installation, seed)).toBeGreaterThan(10 * 2 ** 20);
  },
  240_000,
);
