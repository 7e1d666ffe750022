import { join } from "node:path";
import { createTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import type { Fault } from "@soar-tooling/s3-server";
import { startProxy, type TestProxy } from "@soar-tooling/test-bench";
import { findWalObjects, readWalFile } from "@soar/repository/wal";
import { openStore, type ObjectStore } from "@soar/storage";
import { afterEach, expect, test } from "vitest";
import {
  createArchiverWorld,
  doneNames,
  eventually,
  killGroup,
  readWal,
  LAUNCHER,
  type ArchiverWorld,
} from "./archiver-world.fixture.ts";

let world: ArchiverWorld | undefined;
let proxy: TestProxy | undefined;
afterEach(async () => {
  await world?.[Symbol.asyncDispose]();
  await proxy?.close();
  [world, proxy] = [undefined, undefined];
});

/** All segments stay in pg_wal, so that the bucket can be compared with them. */
const KEEP = { wal_keep_size: "1GB", archive_timeout: "0" };

function storeOf({ s3 }: ArchiverWorld): ObjectStore {
  return openStore({ url: `s3://${s3.bucket}/one`, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
}

/** Promise 1, for the whole life of a server: what PostgreSQL was told is archived is in the bucket, byte for byte. */
async function expectDoneMeansStored(w: ArchiverWorld): Promise<void> {
  const store = storeOf(w);
  const done = doneNames(w.cluster);
  expect(done.length).toBeGreaterThan(0);
  for (const name of done) {
    const [object] = await findWalObjects(store, name);
    expect(object, `${name} is .done`).toBeDefined();
    if (object !== undefined)
      expect((await readWalFile(store, object)).equals(readWal(w.cluster, name)), name).toBe(true);
  }
  await store.close();
}

async function expectAllDone(w: ArchiverWorld, names: readonly string[]): Promise<void> {
  await eventually(
    `all of ${names.length} segments to be done`,
    () => names.every((name) => doneNames(w.cluster).includes(name)),
    90_000,
  );
  await expectDoneMeansStored(w);
}

test("the archiver killed at every step of an upload, and the server with it: nothing that is done is missing", async () => {
  world = await createArchiverWorld({ settings: KEEP });
  const w = world;
  const steps: readonly (readonly [string, Fault | undefined])[] = [
    ["before the put", { type: "stall" }],
    ["in the middle of the body", { type: "stall-request", afterBytes: 100 }],
    ["when the store has it and says nothing", { type: "lost-reply" }],
    ["at any moment after the put", undefined],
  ];
  const names: string[] = [];
  for (const [step, fault] of steps) {
    const daemon = await w.startDaemon();
    const rule = fault && w.s3.inject({ operation: "PutObject", key: /wal\//, times: 1, fault });
    names.push(await w.switchWal());
    await (rule === undefined ? eventually(step, () => w.stored().includes(`${names.at(-1)}.zst`)) : rule.firstHit);
    killGroup(daemon.child);
    await w.cluster.kill();
    rule?.release();
    await daemon.ended;
    await w.cluster.start();
    await expectDoneMeansStoredSoFar(w);
  }
  await w.startDaemon();
  await expectAllDone(w, names);
});

async function expectDoneMeansStoredSoFar(w: ArchiverWorld): Promise<void> {
  if (doneNames(w.cluster).length > 0) await expectDoneMeansStored(w);
}

test("archiver and command, through a proxy that cuts at every request: every segment arrives", async () => {
  world = await createArchiverWorld({
    settings: KEEP,
    endpoint: async (s3) => {
      proxy = await startProxy({ target: { port: s3.port } });
      return `http://${proxy.host}:${proxy.port}`;
    },
  });
  const names: string[] = [];
  // Bytes after which each connection is cut: in the request's head, in its body, in the answer.
  for (const afterBytes of [0, 200, 900, 3_000]) {
    const rule = proxy?.impair({ impairment: { type: "cut", afterBytes }, times: 2 });
    names.push(await world.switchWal());
    await rule?.firstHit;
  }
  await expectAllDone(world, names);
  await world.startDaemon();
  for (const afterBytes of [0, 200, 900, 3_000]) {
    const rule = proxy?.impair({ impairment: { type: "cut", afterBytes }, times: 3 });
    proxy?.cutAll();
    names.push(await world.switchWal());
    await rule?.firstHit;
  }
  await expectAllDone(world, names);
});

test("an outage that is longer than every deadline: nothing is lost, and recovery needs nobody", async () => {
  world = await createArchiverWorld({
    settings: KEEP,
    endpoint: async (s3) => {
      proxy = await startProxy({ target: { port: s3.port } });
      return `http://${proxy.host}:${proxy.port}`;
    },
  });
  const daemon = await world.startDaemon(["--archive-timeout", "2s", "--jobs", "2"]);
  const first = await world.switchWal();
  await expectAllDone(world, [first]);
  await proxy?.stopListening();
  proxy?.cutAll();
  const names: string[] = [];
  for (let n = 0; n < 8; n += 1) names.push(await world.switchWal());
  // Attempts have failed for good, and PostgreSQL's own command too.
  await eventually("failures", async () => {
    const [row] =
      (await world?.cluster.query<{ failed_count: string }>("select failed_count from pg_stat_archiver")) ?? [];
    return Number(row?.failed_count) > 0 && daemon.log().includes("failure 1,");
  });
  expect(
    daemon
      .log()
      .split("\n")
      .filter((line) => line.includes(" error ")).length,
  ).toBeLessThan(20);
  await proxy?.resumeListening();
  await eventually(
    "all to be in the bucket",
    () => names.every((name) => world?.stored().includes(`${name}.zst`)),
    60_000,
  );
  await expectAllDone(world, names);
  expect(daemon.log()).toContain("archiving again after");
});

test("two clusters pointed at one prefix: the second one is refused, loudly, and the first one goes on", async () => {
  world = await createArchiverWorld({ settings: KEEP });
  await expectAllDone(world, [await world.switchWal()]);
  await using second = await createTestCluster({
    installation: requireInstallation("pg_ctl"),
    initdbArgs: ["--wal-segsize=1"],
    archiveCommand: `${LAUNCHER} --env-file ${world.envFile} %p %f`,
  });
  await second.query("create table t (n int)");
  const [row] = await second.query<{ name: string }>("select pg_walfile_name(pg_switch_wal() - 1) as name");
  await eventually("the refusal", async () =>
    (await second.log()).includes("belongs to another cluster: its system identifier is"),
  );
  const name = row?.name ?? "";
  const refused = await world.run(["--env-file", world.envFile, join(second.dataDir, "pg_wal", name), name]);
  expect(refused).toMatchObject({
    status: 61,
    stderr: expect.stringContaining("Give every cluster a bucket or prefix of its own") as string,
  });
  expect(doneNames(second)).toEqual([]);
  // The resident archiver of the first cluster has no say in a file of the second one.
  await world.startDaemon();
  expect((await world.run(["--env-file", world.envFile, join(second.dataDir, "pg_wal", name), name])).status).toBe(61);
  await expectAllDone(world, [await world.switchWal()]);
});
