import { statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createArchiverWorld,
  doneNames,
  eventually,
  killGroup,
  type ArchiverWorld,
  type Started,
} from "./archiver-world.fixture.ts";

let world: ArchiverWorld;
beforeAll(async () => {
  world = await createArchiverWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const call = (name: string): string[] => ["--env-file", world.envFile, `pg_wal/${name}`, name];

/** What PostgreSQL's archiver does next is held back, so that an acknowledgement can be looked at. */
async function acknowledgedSegment(): Promise<string> {
  await world.cluster.configure({ archive_command: "false" });
  await eventually(
    "the setting to count",
    async () => (await world.cluster.query("show archive_command"))[0]?.["archive_command"] === "false",
  );
  const name = await world.switchWal();
  await eventually(`an acknowledgement of ${name}`, () => world.acknowledged().includes(name));
  return name;
}

test("without a resident archiver the command does the whole push itself", async () => {
  const name = await world.switchWal();
  await eventually(`${name} to be done`, () => doneNames(world.cluster).includes(name));
  expect(world.stored()).toContain(`${name}.zst`);
  expect(world.acknowledged()).toEqual([]);
});

describe("with the resident archiver", () => {
  let daemon: Started;
  beforeAll(async () => {
    daemon = await world.startDaemon();
  });

  test("segments are archived, acknowledged, and the acknowledgement goes when PostgreSQL was answered", async () => {
    const name = await world.switchWal();
    await eventually(`${name} to be done`, () => doneNames(world.cluster).includes(name));
    expect(world.stored()).toContain(`${name}.zst`);
    await eventually("no acknowledgement to be left", () => world.acknowledged().length === 0);
  });

  test("the launcher answers from an acknowledgement, and not for a file that only looks the same", async () => {
    const name = await acknowledgedSegment();
    // The tail of the next segment is being shipped meanwhile.
    const requestsForIt = (): number =>
      world.s3.requests.filter(({ url }) => decodeURIComponent(url).includes(`one/wal/${name}`)).length;
    const requests = requestsForIt();
    // Without Node: there is none in this PATH, and the launcher is told so by a link of its own name elsewhere.
    expect(await world.run(call(name), { BACKUP_LOG_ARCHIVE: "on" })).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(new RegExp(`archived write-ahead log file "${name}"\n$`)) as string,
    });
    expect(await world.run(call(name))).toMatchObject({ status: 0, stderr: "" });
    expect(requestsForIt()).toBe(requests);
    const path = join(world.cluster.dataDir, "pg_wal", name);
    const before = statSync(path);
    // Another moment of change alone makes it another file: Node asks, the archiver compares it again with the bucket.
    utimesSync(path, before.atime, before.mtime);
    expect(await world.run(call(name))).toMatchObject({ status: 0 });
    expect(requestsForIt()).toBeGreaterThan(requests);
  });

  test("a call for another bucket, or with another env file, is not answered from an acknowledgement", async () => {
    const name = await acknowledgedSegment();
    const elsewhere = await world.run(call(name), { BACKUP_BUCKET: "s3://soar-backup/two" });
    expect(elsewhere, elsewhere.stderr).toMatchObject({ status: 0 });
    expect([...world.s3.objects("soar-backup").keys()]).toContain(`two/wal/${name}.zst`);
    expect(
      (await world.run(call(name), { AWS_ENDPOINT_URL: "http://127.0.0.1:1", BACKUP_ARCHIVE_TIMEOUT: "1s" })).status,
    ).toBe(30);
    const other = join(world.directory, "other-env");
    writeFileSync(other, "BACKUP_BUCKET=s3://soar-backup/three\n", { mode: 0o600 });
    const unreadable = await world.run(["--env-file", other, `pg_wal/${name}`, name], {
      BACKUP_SPOOL_DIR: world.spool,
    });
    expect(unreadable.status).toBe(13);
  });

  test("SIGTERM ends it at once and cleanly, and the next one starts with no acknowledgement of the last", async () => {
    const name = await acknowledgedSegment();
    killGroup(daemon.child, "SIGTERM");
    expect(await daemon.ended).toMatchObject({ status: 0, stderr: expect.stringContaining("stopped") as string });
    expect(world.acknowledged()).toContain(name);
    daemon = await world.startDaemon();
    await eventually("a fresh acknowledgement", () => world.acknowledged().includes(name));
  });

  test("a second one on the same spool is refused", async () => {
    const second = await world.run(["daemon", "--env-file", world.envFile, "--data-dir", world.cluster.dataDir]);
    expect(second).toMatchObject({ status: 10, stderr: expect.stringContaining("unable to use the spool") as string });
  });
});
