import { createServer, type AddressInfo } from "node:net";
import type { ArchiverStatus, HeldCommits } from "@soar/archive/status";
import type { InjectedFault } from "@soar-tooling/s3-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  createArchiverWorld,
  eventually,
  killGroup,
  type ArchiverWorld,
  type Started,
} from "./archiver-world.fixture.ts";

let world: ArchiverWorld;
let daemon: Started;
let listen: string;
beforeAll(async () => {
  world = await createArchiverWorld();
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  listen = `127.0.0.1:${(probe.address() as AddressInfo).port}`;
  await new Promise((resolve) => probe.close(resolve));
});
afterAll(() => world[Symbol.asyncDispose]());

async function waitForBucket(names: string): Promise<void> {
  await world.cluster.query(`alter system set synchronous_standby_names = '${names}'`);
  await world.cluster.query("select pg_reload_conf()");
}
/** One that waits: of those that begin while the server still reads its settings anew, none does. */
async function heldCommit(): Promise<{ readonly done: Promise<unknown> }> {
  for (;;) {
    let isDone = false;
    const done = world.cluster.query("insert into t values (1)").finally(() => (isDone = true));
    while (!isDone) {
      const waiting = await world.cluster.query("select 1 from pg_stat_activity where wait_event = 'SyncRep'");
      if (waiting.length > 0) return { done };
    }
  }
}
async function heldCommits(): Promise<HeldCommits | undefined> {
  return (JSON.parse((await world.run(["status", "--json", "--env-file", world.envFile])).stdout) as ArchiverStatus)
    .heldCommits;
}
function providerDown(): InjectedFault {
  return world.s3.inject({ operation: "PutObject", times: "always", fault: { type: "busy" } });
}

test("a daemon that starts behind a backlog confirms commits as soon as that is archived", async () => {
  await world.cluster.configure({ archive_command: "false" });
  const names: string[] = [];
  for (let n = 0; n < 5; n += 1) names.push(await world.switchWal());
  await waitForBucket("soar");
  const commit = await heldCommit();
  daemon = await world.startDaemon(["--synchronous", "--listen", listen]);
  await commit.done;
  expect(names.filter((name) => !world.stored().includes(`${name}.zst`))).toEqual([]);
  expect((await heldCommits())?.waitingSeconds).toBe(0);
});

test(
  "commits that wait for a provider that is down are told of loudly, and go on when it is back",
  { timeout: 60_000 },
  async () => {
    const down = providerDown();
    let isDone = false;
    const commit = world.cluster.query("insert into t values (2)").then(() => (isDone = true));
    await eventually("the archiver to say that commits wait", () =>
      /error .*commits have waited for the bucket for [\d.]+ s in 1 sessions\. .*ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf\(\);/.test(
        daemon.log(),
      ),
    );
    expect(isDone).toBe(false);
    expect(await heldCommits()).toMatchObject({ sessions: 1 });
    expect((await heldCommits())?.waitingSeconds).toBeGreaterThan(4);
    expect(await (await fetch(`http://${listen}/metrics`)).text()).toMatch(
      /^backup_synchronous_waiting_seconds [1-9]/m,
    );
    expect((await world.run(["status", "--env-file", world.envFile])).stdout).toMatch(
      /COMMITS WAIT +for the bucket, since/,
    );
    down.remove();
    await commit;
    await eventually("the archiver to say that it is over", () =>
      /warn .*commits go on; they had waited/.test(daemon.log()),
    );
  },
);

test("the way back that it names lets commits go at once, while the provider is still down", async () => {
  const down = providerDown();
  const commit = world.cluster.query("insert into t values (3)");
  await eventually(
    "the commit to wait",
    async () => (await world.cluster.query("select 1 from pg_stat_activity where wait_event = 'SyncRep'")).length === 1,
  );
  await waitForBucket("");
  await commit;
  down.remove();
  killGroup(daemon.child, "SIGTERM");
  expect(await daemon.ended).toMatchObject({
    status: 0,
    stderr: expect.stringContaining("commits wait until it is started again") as string,
  });
});

test(
  "without --synchronous nothing is confirmed, and a server that waits all the same is told of",
  { timeout: 60_000 },
  async () => {
    daemon = await world.startDaemon();
    await waitForBucket("soar");
    const commit = world.cluster.query("insert into t values (4)");
    await eventually("the archiver to say that commits wait", () =>
      daemon.log().includes("commits have waited for the bucket"),
    );
    expect((await heldCommits())?.waitingSeconds).toBeGreaterThan(4);
    await waitForBucket("");
    await commit;
  },
);

test("it takes a tail", async () => {
  expect(
    await world.run([
      "daemon",
      "--synchronous",
      "--tail-interval",
      "off",
      "--env-file",
      world.envFile,
      "--data-dir",
      world.cluster.dataDir,
    ]),
  ).toMatchObject({ status: 10, stderr: expect.stringContaining("--tail-interval is off") as string });
});
