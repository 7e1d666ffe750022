import { postgresMajors, type TestCluster } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { filesSource, replicationSource, type BackupEvent } from "../src/index.ts";
import { createBackupWorld, type BackupWorld } from "./backup-world.ts";
import { numbersOf } from "./random-numbers.ts";
import { recoverBackup } from "./recover-backup.ts";

/** Seeds of a run by hand: `SOAR_LOAD_ROUNDS=50 vitest run packages/backup/test/files-under-load.integration.test.ts`. */
const ROUNDS = Number(process.env["SOAR_LOAD_ROUNDS"] ?? 1);
const TABLES = 6;

/** What makes files grow, shrink, vanish, come and change their names while they are read. */
const STATEMENTS: readonly ((table: string, n: number) => string)[] = [
  (table, n) => `insert into ${table} select g, repeat(md5((g * ${n})::text), 3) from generate_series(1, 3000) g`,
  (table, n) => `update ${table} set v = md5(v) where n % 7 = ${n % 7}`,
  (table, n) => `delete from ${table} where n % 5 = ${n % 5}`,
  (table) => `vacuum full ${table}`,
  (table) => `vacuum (truncate) ${table}`,
  (table) => `truncate ${table}`,
  (table) => `reindex table ${table}`,
  (table) => `cluster ${table} using ${table}_n`,
  (table) => `alter table ${table} set tablespace extra`,
  (table) => `alter table ${table} set tablespace pg_default`,
  (table) => `alter table ${table} set unlogged`,
  (table) => `alter table ${table} set logged`,
  (table, n) => `create table ${table}_${n} as select * from ${table}`,
  () => "checkpoint",
];

async function prepare({ cluster }: BackupWorld): Promise<void> {
  await cluster.query(`create tablespace extra location '${cluster.tablespaceDir("extra")}'`);
  for (let index = 0; index < TABLES; index++) {
    await cluster.query(`create table t${index} (n bigint, v text)`);
    await cluster.query(`create index t${index}_n on t${index} (n)`);
    await cluster.query(`insert into t${index} select g, md5(g::text) from generate_series(1, 20000) g`);
  }
}

/** Changes tables until it is told to stop; each stream has its own, so that none waits for another. */
async function work(cluster: TestCluster, seed: number, isOver: () => boolean): Promise<void> {
  const next = numbersOf(seed);
  for (let turn = 0; !isOver(); turn++) {
    const statement = STATEMENTS[next() % STATEMENTS.length];
    await cluster.query(statement?.(`t${(seed % 2) * 3 + (next() % 3)}`, turn * 10 + (seed % 2)) ?? "");
  }
}

/** Every row of every logged table. */
async function contentOf(cluster: TestCluster): Promise<unknown> {
  const tables = await cluster.query<{ name: string }>(
    "select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and relpersistence = 'p' order by 1",
  );
  const content: unknown[] = [];
  for (const { name } of tables) {
    const [row] = await cluster.query(
      `select count(*)::int as rows, md5(coalesce(string_agg(n || ' ' || v, ',' order by n, v), '')) as digest from ${name}`,
    );
    const [byIndex] = await cluster.query(`select sum(n)::text as sum from ${name} where n > 0`);
    content.push({ name, ...row, ...byIndex });
  }
  return content;
}

const majors = ROUNDS === 1 ? [postgresMajors()[0], postgresMajors().at(-1)] : postgresMajors();

test.each(
  majors
    .filter((each) => each !== undefined)
    .flatMap((installation) => Array.from({ length: ROUNDS }, (_, round) => ({ installation, round }))),
)(
  "a cluster of PostgreSQL $installation.major that changes everywhere while its files are read is restored row by row ($round)",
  async ({ installation, round }) => {
    await using world = await createBackupWorld({ installation, settings: { max_wal_size: "64MB" } });
    await prepare(world);
    const seed = ROUNDS === 1 ? installation.major : Date.now() % 1_000_000;
    let isOver = false;
    const workers = [seed * 2, seed * 2 + 1].map((each) => work(world.cluster, each, () => isOver));
    let done = 0;
    const onEvent = (event: BackupEvent): void => void (event.type === "progress" && (done = event.done));
    const source = filesSource(world.cluster.connection);
    const full = await world.take({ source, rateLimitBytes: 8 * 2 ** 20, onEvent, label: "2025-01-01" });
    const next = await world.take({
      source,
      rateLimitBytes: 16 * 2 ** 20,
      label: "2025-01-02",
      incremental: { fullEveryMs: 365 * 86_400_000 },
    });
    isOver = true;
    await Promise.all(workers);
    expect(full).toMatchObject({ source: { method: "files" }, damagedPages: [] });
    expect(next).toMatchObject({ kind: "incremental", damagedPages: [] });
    expect(done).toBeGreaterThan(20 * 2 ** 20);

    // What comes last ends in a segment that is archived.
    const last = await world.take({ source: replicationSource(world.cluster.connection), label: "2025-01-03" });
    const expected = await contentOf(world.cluster);
    for (const record of [full, next, last]) {
      await using restored = await recoverBackup(world, record, installation);
      expect(await contentOf(restored), `seed ${seed}, round ${round}, ${record.label}`).toEqual(expected);
      await restored.stop("immediate");
    }
  },
  240_000,
);
