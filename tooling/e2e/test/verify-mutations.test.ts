// @module-tag needs-postgres-clients
import { chownSync, openSync, closeSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { hasErrorCode } from "@soar/errors";
import { createMemoryStore, openStore, readObject, type ObjectStore } from "@soar/storage";
import { createVerifyPool, verifyRepository, type Finding, type VerifyPool } from "@soar/verify";
import { aviationTrafficSql, loadAviationData, requireInstallation } from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { copyOf, type RepositoryCopy } from "../src/mutations/repository-copy.ts";
import { mutate, MUTATIONS, type Mutation } from "../src/mutations/mutations.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** `SOAR_SEED` tries others. */
const SEED = Number(process.env["SOAR_SEED"] ?? 1);
const RANDOM_MUTATIONS = 200;
const DATABASE = "soar";

/** When a backup without its record can no longer be one that is running. */
const LATER = new Date(Date.now() + 5 * 86_400_000);

let pool: VerifyPool;
/** A full and an incremental backup, and WAL on two timelines. */
let healthy: RepositoryCopy;
/** The same, and a backup of the server after a page of a table was damaged on its disk. */
let damagedAtSource: RepositoryCopy;

beforeAll(async () => {
  pool = createVerifyPool(2);
  await using world = await createSoarWorld({
    installation: requireInstallation("pg_basebackup"),
    databases: [DATABASE],
    initdbArgs: ["--wal-segsize=1", "--data-checksums"],
  });
  await loadAviationData((sql) => world.cluster.query(sql, [], DATABASE), { sizeMb: 8 });
  await backUp(world, []);
  await write(world);
  await backUp(world, ["--incremental"]);
  await promoteInPlace(world);
  await write(world);
  await archiveAll(world.cluster);
  healthy = await copyFrom(world);
  await damagePage(world);
  await backUp(world, ["--no-expire"], 68);
  damagedAtSource = await copyFrom(world);
}, 240_000);
afterAll(() => pool.close());

async function backUp(world: SoarWorld, args: readonly string[], status = 0): Promise<void> {
  const backup = await world.run("soar-base-backup", args);
  expect(backup, backup.stderr).toMatchObject({ status });
}

async function write({ cluster }: SoarWorld): Promise<void> {
  await cluster.query(aviationTrafficSql({ rows: 3000 }), [], DATABASE);
  await cluster.query("SELECT pg_switch_wal()");
}

/** A second timeline, as after a failover. */
async function promoteInPlace({ cluster }: SoarWorld): Promise<void> {
  await cluster.stop();
  const signal = join(cluster.dataDir, "standby.signal");
  writeFileSync(signal, "");
  chownSync(signal, serverUser().uid, serverUser().gid);
  await cluster.start();
  await cluster.query("SELECT pg_promote(true)");
}

/** One bit in the middle of a table that a restore would bring back as it is. */
async function damagePage({ cluster }: SoarWorld): Promise<void> {
  const [row] = await cluster.query<{ path: string }>("SELECT pg_relation_filepath('devices') AS path", [], DATABASE);
  await cluster.query("CHECKPOINT");
  await cluster.stop();
  const path = join(cluster.dataDir, row?.path ?? "");
  const bytes = readFileSync(path);
  const file = openSync(path, "r+");
  writeSync(file, Buffer.of((bytes[5000] ?? 0) ^ 1), 0, 1, 5000);
  closeSync(file);
  await cluster.start();
}

async function copyFrom({ s3 }: SoarWorld): Promise<RepositoryCopy> {
  const store = openStore({
    url: "s3://soar-backup/cluster1",
    endpoint: s3.endpoint,
    region: s3.region,
    pathStyle: true,
    credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
  });
  try {
    const objects = new Map<string, Buffer>();
    for await (const { key } of store.list("")) objects.set(key, await readObject(store, key));
    return copyOf(objects);
  } finally {
    await store.close();
  }
}

async function storeOf({ objects }: RepositoryCopy): Promise<ObjectStore> {
  const store = createMemoryStore();
  for (const [key, bytes] of objects) await store.put(key, bytes);
  return store;
}

/** Findings, or what the verification itself ended with because the repository cannot be told any more. */
async function find(copy: RepositoryCopy, level: "quick" | "full"): Promise<readonly Finding[]> {
  try {
    const { findings } = await verifyRepository(await storeOf(copy), {
      depth: { level },
      jobs: 2,
      host: "h",
      now: () => LATER,
      limits: { archiveWarningMs: undefined },
      pool,
    });
    return findings;
  } catch (error) {
    if (!hasErrorCode(error, "REPOSITORY_DAMAGED", "REPOSITORY_VERSION", "REPOSITORY_MISSING")) throw error;
    return [{ kind: "backup-record-damaged", severity: "error", where: error.message, what: error.code, advice: "" }];
  }
}

function isExpected({ kind, where, what }: Finding, { kinds, about }: Mutation["expected"]): boolean {
  return kinds.includes(kind) && about.some((word) => `${where} ${what}`.includes(word));
}

async function expectFound(mutation: Mutation): Promise<void> {
  const { copy, expected, description } = mutation;
  const quick = await find(copy, "quick");
  const isFound = quick.some((finding) => isExpected(finding, expected));
  if (expected.level === "quick") {
    expect(isFound, `${description}: ${JSON.stringify(quick)}`).toBe(true);
    return;
  }
  if (expected.level === "full") expect(quick, `${description}, quick`).toEqual([]);
  const full = await find(copy, "full");
  expect(
    full.some((finding) => isExpected(finding, expected)),
    `${description}: ${JSON.stringify(full)}`,
  ).toBe(true);
}

test("the healthy repository has no finding at any level", async () => {
  expect(await find(healthy, "quick")).toEqual([]);
  expect(await find(healthy, "full")).toEqual([]);
});

describe("every kind of damage is found by the right finding at the right level", () => {
  test.each(Object.keys(MUTATIONS))("%s", async (kind) => {
    for (let round = 0; round < 2; round += 1)
      await expectFound(await mutate(healthy, kind, `${SEED}/${kind}/${round}`));
  });

  test(`${RANDOM_MUTATIONS} random ones with seed ${SEED}`, { timeout: 300_000 }, async () => {
    const kinds = Object.keys(MUTATIONS);
    for (let round = 0; round < RANDOM_MUTATIONS; round += 1) {
      const kind = kinds[round % 4 === 0 ? (round / 4) % kinds.length : round % 3] ?? "";
      await expectFound(await mutate(healthy, kind, `${SEED}/random/${round}`));
    }
  });

  test("a page that was damaged before the backup: told by its record, and found again in the bytes", async () => {
    const kinds = async (level: "quick" | "full") =>
      (await find(damagedAtSource, level)).map(({ kind, severity }) => [kind, severity]);
    expect(await kinds("quick")).toEqual([["backup-source-damaged", "warning"]]);
    expect(await kinds("full")).toEqual([
      ["page-damaged", "error"],
      ["backup-source-damaged", "warning"],
    ]);
  });
});
