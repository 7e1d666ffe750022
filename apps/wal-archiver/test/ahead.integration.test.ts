import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { mountHung, requires, serverUser } from "@soar-tooling/test-bench";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  createArchiverWorld,
  doneNames,
  eventually,
  killGroup,
  LAUNCHER,
  readWal,
  type ArchiverWorld,
} from "./archiver-world.fixture.ts";

/** PostgreSQL's own calls fail, so that segments wait; the tests call as it would. */
let world: ArchiverWorld;
beforeAll(async () => {
  world = await createArchiverWorld({
    archiveCommand: "/bin/false",
    settings: { archive_timeout: "0", wal_keep_size: "1GB" },
  });
});
afterAll(() => world[Symbol.asyncDispose]());
afterEach(() => {
  world.s3.clearFaults();
  rmSync(join(world.spool, "ack"), { recursive: true, force: true });
});

async function segments(count: number): Promise<readonly [string, ...string[]]> {
  const names: string[] = [];
  while (names.length < count) names.push(await world.switchWal());
  return [names[0] ?? "", ...names.slice(1)];
}

const archive = (name: string) => world.run(["--env-file", world.envFile, `pg_wal/${name}`, name]);
const stored = (): string[] => world.stored().map((key) => key.replace(/\.zst$/, ""));
const acknowledgement = (name: string): string => join(world.spool, "ack", name);

/** Nothing can be asked or sent: who says that a file is archived knows it already. */
function refuseAll(): void {
  world.s3.inject({ times: "always", fault: { type: "error", status: 403, code: "AccessDenied" } });
}

test("a call stores what PostgreSQL asks for next, and those calls are answered without the store", async () => {
  const [first, ...next] = await segments(4);
  expect(await archive(first)).toMatchObject({ status: 0, stderr: "" });
  expect(stored()).toEqual(expect.arrayContaining([first, ...next]));
  expect(world.acknowledged()).toEqual(expect.arrayContaining(next));
  expect(world.acknowledged()).not.toContain(first);
  const counted = JSON.parse(readFileSync(join(world.spool, "counters.json"), "utf8")) as { archivedTotal: number };
  expect(counted.archivedTotal).toBe(stored().length);
  refuseAll();
  for (const name of next) expect(await archive(name)).toMatchObject({ status: 0, stderr: "" });
  expect((await archive(first)).status).not.toBe(0);
});

test("an acknowledgement that is old, or of a time to come, answers nobody", async () => {
  const [first, second] = await segments(2);
  await archive(first);
  const lines = readFileSync(acknowledgement(second ?? ""), "utf8")
    .trimEnd()
    .split("\n");
  const now = Math.floor(Date.now() / 1000);
  expect(Number(lines[7])).toBeLessThanOrEqual(now);
  expect(Number(lines[8]) - Number(lines[7])).toBe(60);
  refuseAll();
  for (const [since, until] of [
    [now - 70, now - 10],
    [now + 30, now + 90],
  ]) {
    writeFileSync(acknowledgement(second ?? ""), `${[...lines.slice(0, 7), since, until].join("\n")}\n`);
    expect((await archive(second ?? "")).status).not.toBe(0);
  }
});

test("acknowledgements that are no longer believed go, and another cluster's that share the spool stay", async () => {
  const [before] = await segments(2);
  await archive(before);
  const [old, others] = ["0000000900000000000000AA", "0000000900000000000000BB"].map(acknowledgement) as [
    string,
    string,
  ];
  for (const path of [old, others]) writeFileSync(path, "");
  utimesSync(old, new Date(0), new Date(0));
  const [first, second] = await segments(2);
  expect(await archive(first)).toMatchObject({ status: 0, stderr: "" });
  expect(world.acknowledged()).toEqual(expect.arrayContaining([basename(others), second]));
  expect(world.acknowledged()).not.toContain(basename(old));
});

test("a file that was written to since is not the one that was acknowledged", async () => {
  const [first, second = ""] = await segments(2);
  await archive(first);
  expect(world.acknowledged()).toContain(second);
  const path = join(world.cluster.dataDir, "pg_wal", second);
  const bytes = readWal(world.cluster, second);
  utimesSync(path, new Date(), new Date());
  refuseAll();
  expect((await archive(second)).status).not.toBe(0);
  world.s3.clearFaults();
  expect(readWal(world.cluster, second)).toEqual(bytes);
  expect(await archive(second)).toMatchObject({ status: 0 });
});

test("what cannot be stored ahead is told, ends the looking ahead, and fails its own call only", async () => {
  const [first, second = "", third = ""] = await segments(3);
  const path = join(world.cluster.dataDir, "pg_wal", second);
  const whole = readWal(world.cluster, second);
  appendFileSync(path, "more than a segment");
  const { status, stderr } = await archive(first);
  expect(status).toBe(0);
  expect(stderr).toContain(`unable to archive '${second}' ahead of PostgreSQL, which asks for it itself: `);
  expect(stored()).toContain(first);
  expect(stored()).not.toContain(second);
  expect(world.acknowledged()).not.toContain(second);
  expect((await archive(second)).status).not.toBe(0);
  writeFileSync(path, whole);
  expect(await archive(second)).toMatchObject({ status: 0 });
  expect(await archive(third)).toMatchObject({ status: 0 });
});

test(
  "a next file, counters or a spool on a file system that hangs fail no call whose own file is stored",
  requires("fuse"),
  async () => {
    using hung = mountHung();
    const [first, second = "", third = ""] = await segments(3);
    const path = join(world.cluster.dataDir, "pg_wal", second);
    renameSync(path, `${path}.aside`);
    symlinkSync(join(hung.path, second), path);
    const counting = join(world.directory, "counting");
    mkdirSync(counting, { mode: 0o700 });
    chownSync(counting, serverUser().uid, serverUser().gid);
    symlinkSync(join(hung.path, "counters.json"), join(counting, "counters.json"));
    // Shorter than what is done besides may take: the file's own deadline is met when it is stored.
    const call = async (name: string, spool: string) => {
      const args = ["--env-file", world.envFile, `pg_wal/${name}`, name];
      const started = world.start(args, { BACKUP_ARCHIVE_TIMEOUT: "4s", BACKUP_SPOOL_DIR: spool });
      const timer = setTimeout(() => killGroup(started.child), 12_000);
      const ended = await started.ended;
      clearTimeout(timer);
      return ended;
    };
    const [ahead, counters, spool] = await Promise.all([
      call(first, world.spool),
      call(third, counting),
      call(third, join(hung.path, "spool")),
    ]);
    expect(ahead).toMatchObject({ status: 0, signal: null });
    expect(ahead.stderr).toContain("unable to look ahead of PostgreSQL: unable to go on in time: something waits for");
    expect(counters).toMatchObject({ status: 0, signal: null });
    expect(counters.stderr).toContain("unable to bring the metrics up to date: unable to go on in time");
    expect(spool).toMatchObject({ status: 0, signal: null });
    expect(spool.stderr).toContain(`the spool '${hung.path}/spool' does not answer`);
    expect(stored()).toEqual(expect.arrayContaining([first, third]));
    renameSync(`${path}.aside`, path);
  },
);

test("beside a resident archiver, and without a spool, a call stores its own file only", async () => {
  const [first, second = "", third = ""] = await segments(3);
  const nowhere = join(world.directory, "no-spool");
  world.writeEnvFile({ BACKUP_SPOOL_DIR: nowhere });
  expect(await archive(first)).toMatchObject({ status: 0 });
  world.writeEnvFile();
  expect(stored()).toContain(first);
  expect(stored()).not.toContain(second);
  // An archiver that is about to start: it has the spool, and does not answer yet.
  const lock = createServer((socket) => socket.end("4711"));
  await new Promise<void>((resolve) => lock.listen(join(world.spool, "lock"), resolve));
  try {
    chmodSync(join(world.spool, "lock"), 0o777);
    expect(await archive(second)).toMatchObject({ status: 0 });
    expect(stored()).toContain(second);
    expect(stored()).not.toContain(third);
  } finally {
    await new Promise((resolve) => lock.close(resolve));
  }
});

test("PostgreSQL's own archiver drains a backlog with few starts of Node, and every segment is stored", async () => {
  const names = await segments(12);
  world.writeEnvFile({ BACKUP_LOG_ARCHIVE: "on" });
  const before = world.s3.requests.length;
  const command = `${LAUNCHER} --env-file ${world.envFile} %p %f`;
  await world.cluster.query(`alter system set archive_command = '${command}'`);
  await world.cluster.query("select pg_reload_conf()");
  // It sleeps for a minute after three failures, but for this.
  await world.switchWal();
  await eventually("the backlog", () => names.every((name) => doneNames(world.cluster).includes(name)));
  expect(stored()).toEqual(expect.arrayContaining([...names]));
  // Each start of Node asks for the repository's record.
  const starts = world.s3.requests.slice(before).filter(({ key }) => key?.endsWith("backup-config.json")).length;
  expect(starts).toBeLessThan(names.length);
});
