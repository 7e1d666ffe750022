import { randomBytes } from "node:crypto";
import { readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { TestCluster } from "@soar-tooling/postgres-clusters";

const statusDir = (cluster: TestCluster): string => join(cluster.dataDir, "pg_wal", "archive_status");

export const readyCount = (cluster: TestCluster): number =>
  readdirSync(statusDir(cluster)).filter((name) => name.endsWith(".ready")).length;

/** Like pgbench: single rows all over a table, and a history of them; every 20 rounds a checkpoint, so that full pages follow. */
export async function writeBacklog(cluster: TestCluster, segments: number): Promise<void> {
  await cluster.query(
    "create table account (id int primary key, balance int, filler char(84)); insert into account select n, 0, '' from generate_series(1, 200000) n",
  );
  await cluster.query("create table history (id int, delta int, at timestamptz, filler char(22))");
  for (let round = 0; readyCount(cluster) < segments; round += 1) {
    await cluster.query(
      `do $$ declare picked int; begin for n in 1..4000 loop picked := 1 + random() * 199999; update account set balance = balance + n where id = picked; insert into history values (n, n, now(), ''); end loop; end $$`,
    );
    if (round % 20 === 0) await cluster.query("checkpoint");
  }
}

const PIECE = 1024 ** 2;

/** As columns fill it that are compressed or encrypted already: no piece of random bytes comes twice in a segment. */
export async function writeRandomBacklog(
  cluster: TestCluster,
  { segments, mebibytes }: { readonly segments: number; readonly mebibytes: number },
): Promise<void> {
  const [path, pieces] = [join(cluster.dataDir, "random"), mebibytes + 1];
  for (let piece = 0; piece < pieces; piece += 1) writeFileSync(path, randomBytes(PIECE), { flag: "a", mode: 0o644 });
  while (readyCount(cluster) < segments)
    await cluster.query(
      `select pg_logical_emit_message(false, 'random', pg_read_binary_file('random', (n % ${pieces})::bigint * ${PIECE}, ${PIECE})) from generate_series(1, ${mebibytes}) n`,
    );
  rmSync(path);
}

/** Segments a second, from the start of what archives them until PostgreSQL has been told that all are archived. */
export async function drain(cluster: TestCluster, start: () => Promise<() => Promise<void>>): Promise<number> {
  for (const name of readdirSync(statusDir(cluster)))
    if (/^[0-9A-F]{24}\.done$/.test(name))
      renameSync(join(statusDir(cluster), name), join(statusDir(cluster), name.replace(".done", ".ready")));
  const count = readyCount(cluster);
  const startedAt = performance.now();
  const stop = await start();
  while (readyCount(cluster) > 0) await delay(10);
  const perSecond = count / ((performance.now() - startedAt) / 1000);
  await stop();
  return perSecond;
}
