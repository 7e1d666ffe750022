import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { parseExposition } from "@soar-tooling/test-bench";
import type { ArchiverStatus } from "@soar/archive/status";
import { formatLsn, lsnOfSegmentIndex, parseLsn, parseWalSegment } from "@soar/pg-tools";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createArchiverWorld,
  doneNames,
  eventually,
  killGroup,
  type ArchiverWorld,
  type Started,
} from "./archiver-world.fixture.ts";
import { putSampleBackup } from "./sample-backup.fixture.ts";

let world: ArchiverWorld;
let daemon: Started;
let listen: string;
const notified = (): string =>
  existsSync(join(world.directory, "notified")) ? readFileSync(join(world.directory, "notified"), "utf8") : "";
const metricsFile = (): string => join(world.spool, "soar-wal.prom");
/** Under the umask of the unit and of the server, who keep everything to themselves, the collector must be able to read it. */
const modeOf = (path: string): number => statSync(path).mode & 0o777;

/** A systemd that writes down what it is told. */
function installSystemd(): void {
  const program = join(world.directory, "systemd-notify");
  writeFileSync(program, `#!/bin/sh\necho "$*" >> ${world.spool}/notified\n`);
  chmodSync(program, 0o755);
}

async function startDaemon(): Promise<void> {
  daemon = world.start(
    [
      "daemon",
      "--env-file",
      world.envFile,
      "--data-dir",
      world.cluster.dataDir,
      "--listen",
      listen,
      "--metrics-file",
      metricsFile(),
      "--log-level",
      "debug",
    ],
    {
      NOTIFY_SOCKET: "/run/systemd/notify",
      WATCHDOG_USEC: "400000",
      PATH: `${world.directory}:${join(process.execPath, "..")}:/usr/bin:/bin`,
    },
  );
  await eventually(`the archiver to be ready: ${daemon.log()}`, () => daemon.log().includes("files wait"));
}

beforeAll(async () => {
  world = await createArchiverWorld();
  installSystemd();
  // A base backup of last week: its record is all that is read.
  await putSampleBackup(world, { label: "2025-01-05", startLsn: "0/100028" });
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  listen = `127.0.0.1:${(probe.address() as AddressInfo).port}`;
  await new Promise((resolve) => probe.close(resolve));
  await startDaemon();
});
afterAll(() => world[Symbol.asyncDispose]());

/** All that the specification and the issue name, and those that alerts need beside them. */
const NAMES = [
  "backup_wal_age_seconds gauge",
  "backup_wal_queue_depth gauge",
  "backup_wal_unarchived_bytes gauge",
  "backup_wal_oldest_unarchived_seconds gauge",
  "backup_synchronous_waiting_seconds gauge",
  "backup_pg_wal_bytes gauge",
  "backup_pg_wal_free_bytes gauge",
  "backup_archiver_resident gauge",
  "backup_wal_errors_total counter",
  "backup_wal_archived_total counter",
  "backup_wal_given_up_total counter",
  "backup_wal_tail_pieces_total counter",
  "backup_upload_bytes_total counter",
  "backup_requests_total counter",
  "backup_base_age_seconds gauge",
  "backup_base_size_bytes gauge",
  "backup_base_duration_seconds histogram",
  "backup_wal_gaps gauge",
  "backup_wal_open_gaps gauge",
];

const tails = (): string[] => [...world.s3.objects("soar-backup").keys()].filter((key) => key.startsWith("one/tail/"));
async function status(): Promise<ArchiverStatus> {
  const { stdout, stderr } = await world.run(["status", "--json", "--env-file", world.envFile]);
  expect(stderr).toBe("");
  return JSON.parse(stdout) as ArchiverStatus;
}

test("a commit is in the bucket about a second later, without a segment switch, and status says so", async () => {
  await eventually("the tail's connection", () => daemon.log().includes("shipping the tail"));
  await world.cluster.query("create table c (n int)");
  await world.cluster.query("insert into c values (1)");
  const [row] = await world.cluster.query<{ lsn: string }>("select pg_current_wal_flush_lsn()::text as lsn");
  const committed = parseLsn(row?.lsn ?? "");
  await eventually("the commit to be durable", async () => {
    const { durableLsn } = await status();
    return durableLsn !== undefined && parseLsn(durableLsn) >= committed;
  });
  expect(tails().length).toBeGreaterThan(0);
  const shown = await world.run(["status", "--env-file", world.envFile]);
  expect(shown).toMatchObject({ status: 0, stdout: expect.stringContaining("in the bucket up to") as string });
});

test("a tail goes with its segment", async () => {
  const name = await world.switchWal();
  await eventually(`${name} to be done`, () => doneNames(world.cluster).includes(name));
  await eventually("its tail to be gone", () => tails().every((key) => !key.includes(name)));
  expect(world.stored()).toContain(`${name}.zst`);
});

test("metrics over HTTP have the specification's names; health is answered; all else is not there", async () => {
  await eventually("the first look into the bucket", async () => (await status()).baseBackup !== undefined);
  const metrics = await (await fetch(`http://${listen}/metrics`)).text();
  const families = parseExposition(metrics);
  expect([...families].map(([name, { type }]) => `${name} ${type}`)).toEqual(NAMES);
  const value = (series: string): number | undefined =>
    [...families.values()].flatMap(({ samples }) => [...samples]).find(([name]) => name === series)?.[1];
  expect(value('backup_requests_total{kind="put",outcome="ok"}')).toBeGreaterThan(2);
  expect(value("backup_pg_wal_bytes")).toBeGreaterThanOrEqual(2 ** 20);
  expect(value("backup_base_age_seconds")).toBeGreaterThan(86_400);
  expect(value("backup_base_size_bytes")).toBe(1_000);
  expect(value('backup_base_duration_seconds_bucket{le="60"}')).toBe(0);
  expect(value('backup_base_duration_seconds_bucket{le="+Inf"}')).toBe(1);
  expect(await (await fetch(`http://${listen}/healthz`)).text()).toBe("ok\n");
  expect((await fetch(`http://${listen}/`)).status).toBe(404);
});

test("systemd is told of readiness and life; counters and the metrics file survive a stop", async () => {
  const said = (): string =>
    existsSync(join(world.spool, "notified")) ? readFileSync(join(world.spool, "notified"), "utf8") : notified();
  await eventually(
    "life signs",
    () => /^--ready --pid=\d+ --status=archiving/m.test(said()) && said().split("WATCHDOG=1").length > 2,
  );
  const before = (await status()).archivedTotal;
  expect(before).toBeGreaterThan(0);
  killGroup(daemon.child, "SIGTERM");
  expect(await daemon.ended).toMatchObject({ status: 0 });
  expect(readFileSync(metricsFile(), "utf8")).toContain(`backup_wal_archived_total ${before}\n`);
  expect(modeOf(metricsFile())).toBe(0o644);
  await startDaemon();
  expect((await status()).archivedTotal).toBeGreaterThanOrEqual(before);
});

test("after a new start on an idle server, what an earlier one has shipped is in the bucket at once", async () => {
  const age = async (): Promise<number> => (await status()).oldestUnarchivedSeconds;
  await world.cluster.query("insert into c values (2)");
  await eventually("the commit to be in the bucket", async () => (await status()).unarchivedBytes === 0);
  const { durableLsn: shipped = "0/0" } = await status();
  killGroup(daemon.child, "SIGTERM");
  await daemon.ended;
  await startDaemon();
  await eventually("the tail to be found", () => daemon.log().includes("the tail is in the bucket up to"));
  // Before the server writes something of its own, which would be shipped as well.
  expect(parseLsn((await status()).durableLsn ?? "0/0")).toBeGreaterThanOrEqual(parseLsn(shipped));
  await eventually("the server to be asked", async () => (await status()).flushLsn !== undefined);
  await eventually("nothing to wait", async () => (await age()) === 0);
  expect((await status()).unarchivedBytes).toBe(0);
});

async function shipSomeTail(): Promise<void> {
  await world.cluster.query("insert into c values (2)");
  const [current] = await world.cluster.query<{ name: string }>("select pg_walfile_name(pg_current_wal_lsn()) as name");
  await eventually("its tail", () => tails().some((key) => key.includes(current?.name ?? "none")));
}

test("a key that may not delete is told by status, because tails stay in the bucket", async () => {
  world.s3.addCredential({ accessKeyId: "WRITER", secretAccessKey: "writer-secret", deny: ["s3:Delete*"] });
  world.writeEnvFile({ AWS_ACCESS_KEY_ID: "WRITER", AWS_SECRET_ACCESS_KEY: "writer-secret" });
  killGroup(daemon.child, "SIGTERM");
  await daemon.ended;
  await startDaemon();
  await eventually("the tail's connection", () => daemon.log().includes("shipping the tail"));
  expect((await status()).problems).toEqual([]);
  await shipSomeTail();
  const name = await world.switchWal();
  await eventually(`${name} to be done`, () => doneNames(world.cluster).includes(name));
  await eventually("status to tell", async () => (await status()).problems.length > 0);
  expect((await status()).problems).toEqual([
    expect.stringMatching(/This key may not delete.*soar-backup-verify lifecycle/) as string,
  ]);
  await shipSomeTail();
  const next = await world.switchWal();
  await eventually(`${next} to be done`, () => doneNames(world.cluster).includes(next));
  killGroup(daemon.child, "SIGTERM");
  await daemon.ended;
  // Nobody is there who was refused; what stays is in the bucket.
  const { stdout } = await world.run([
    "status",
    "--json",
    "--env-file",
    world.envFile,
    "--data-dir",
    world.cluster.dataDir,
  ]);
  expect((JSON.parse(stdout) as ArchiverStatus).problems).toEqual([
    expect.stringMatching(
      new RegExp(`tails of \\d archived segments stay.*the first that of ${name}.*lifecycle`),
    ) as string,
  ]);
  world.writeEnvFile();
  await startDaemon();
  await eventually(
    "a key that may to remove them",
    () => !tails().some((key) => key.includes(name) || key.includes(next)),
  );
});

describe("without a resident archiver", () => {
  beforeAll(async () => {
    killGroup(daemon.child, "SIGTERM");
    await daemon.ended;
  });
  const withDataDir = (): string[] => ["--data-dir", world.cluster.dataDir];
  const read = async (...args: string[]): Promise<ArchiverStatus> => {
    const { stdout, stderr } = await world.run([
      "status",
      "--json",
      "--env-file",
      world.envFile,
      ...withDataDir(),
      ...args,
    ]);
    expect(stderr).toBe("");
    return JSON.parse(stdout) as ArchiverStatus;
  };

  test("status says what to do when it does not know the data directory", async () => {
    expect(await world.run(["status", "--env-file", world.envFile])).toMatchObject({
      status: 80,
      stderr: expect.stringContaining("Start it with soar-wal-archive daemon") as string,
    });
  });

  test("status looks at archive_status, the bucket and the server itself, and says that no archiver runs", async () => {
    const name = await world.switchWal();
    await eventually(`${name} to be done`, () => doneNames(world.cluster).includes(name));
    await world.cluster.query("insert into t values (2)");
    const shown = await read();
    expect(shown).toMatchObject({
      isResident: false,
      queueDepth: 0,
      missing: [],
      problems: [],
      lastArchived: { name },
      baseBackup: { label: "2025-01-05" },
    });
    expect(shown.unarchivedBytes).toBeGreaterThan(0);
    expect(shown.oldestUnarchivedSeconds).toBeGreaterThan(0);
    expect(shown.oldestUnarchivedSeconds).toBeLessThan(60);
    const text = await world.run(["status", "--env-file", world.envFile, ...withDataDir()]);
    expect(text.stdout).toContain("No archiver runs");
    expect(Math.max(...text.stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test("every command counts, and writes the metrics file", async () => {
    const file = join(world.spool, "by-command.prom");
    world.writeEnvFile({ BACKUP_ARCHIVER_METRICS_FILE: file });
    const before = (await read()).archivedTotal;
    const name = await world.switchWal();
    await eventually(`${name} to be done`, () => doneNames(world.cluster).includes(name));
    expect((await read()).archivedTotal).toBe(before + 1);
    const families = parseExposition(readFileSync(file, "utf8"));
    // Nobody looks at the server's sessions.
    expect(
      NAMES.map((line) => line.split(" ")[0]).filter((family) => family !== "backup_synchronous_waiting_seconds"),
    ).toEqual([...families.keys()]);
    expect(families.get("backup_archiver_resident")?.samples.get("backup_archiver_resident")).toBe(0);
    expect(families.get("backup_wal_archived_total")?.samples.get("backup_wal_archived_total")).toBe(before + 1);
    expect(readdirSync(world.spool).filter((entry) => entry.includes("by-command"))).toEqual(["by-command.prom"]);
    expect(modeOf(file)).toBe(0o644);
  });

  test("a metrics file that cannot be written is one line on stderr, and the file is archived all the same", async () => {
    const name = await world.switchWal();
    await eventually(`${name} to be done`, () => doneNames(world.cluster).includes(name));
    world.writeEnvFile({ BACKUP_ARCHIVER_METRICS_FILE: join(world.directory, "nowhere", "x.prom") });
    const again = await world.run(["--env-file", world.envFile, `pg_wal/${name}`, name], { BACKUP_LOG_ARCHIVE: "on" });
    expect(again.status).toBe(0);
    expect(again.stderr).toMatch(
      /^[^\n]* warn {2}wal-archiver already archived write-ahead log file "[0-9A-F]+"; metrics are not up to date: unable to write '[^']*': there is no such file or directory \(ENOENT\)\n$/,
    );
    world.writeEnvFile();
  });

  test("a failure is counted with its reason and what to do", async () => {
    const before = (await read()).errorsTotal;
    const refused = await world.run([
      "--env-file",
      world.envFile,
      "pg_wal/0000000100000000000000AA",
      "0000000100000000000000AA",
    ]);
    expect(refused.status).toBe(20);
    expect(await read()).toMatchObject({
      errorsTotal: before + 1,
      lastFailure: {
        name: "0000000100000000000000AA",
        code: "FILE_UNREADABLE",
        message: expect.stringContaining("there is no such file") as string,
        hint: expect.stringContaining("%p") as string,
      },
    });
  });

  test("segments that somebody else's command answered for are missing, and the contiguous mark stays before them", async () => {
    await world.cluster.configure({ archive_command: "true" });
    await eventually(
      "the setting to count",
      async () => (await world.cluster.query("show archive_command"))[0]?.["archive_command"] === "true",
    );
    const lost = await world.switchWal();
    await eventually(`${lost} to be done`, () => doneNames(world.cluster).includes(lost));
    const shown = await read();
    expect(shown.missing).toEqual([lost]);
    expect(shown.contiguousLsn).toBe(formatLsn(lsnOfSegmentIndex(parseWalSegment(lost, 2 ** 20).index, 2 ** 20)));
  });

  test("what cannot be asked is said, and the rest is shown", async () => {
    const shown = await read("--endpoint", "http://127.0.0.1:1", "--port", "1");
    expect(shown.problems).toHaveLength(2);
    expect([shown.flushLsn, shown.baseBackup]).toEqual([undefined, undefined]);
    expect(shown).toMatchObject({ missing: [], queueDepth: 0 });
  });
});
