import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { parseExposition } from "@soar-tooling/test-servers";
import type { ArchiverStatus } from "@soar/archive";
import { parseLsn } from "@soar/pg-tools";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createArchiverWorld, doneNames, eventually, killGroup, type ArchiverWorld, type Started } from "./archiver-world.fixture.ts";
import { putSampleBackup } from "./sample-backup.fixture.ts";

let world: ArchiverWorld;
let daemon: Started;
let listen: string;
const notified = (): string => (existsSync(join(world.directory, "notified")) ? readFileSync(join(world.directory, "notified"), "utf8") : "");
const metricsFile = (): string => join(world.spool, "soar-wal.prom");

/** A systemd that writes down what it is told. */
function installSystemd(): void {
  const program = join(world.directory, "systemd-notify");
  writeFileSync(program, `#!/bin/sh\necho "$*" >> ${world.spool}/notified\n`);
  chmodSync(program, 0o755);
}

async function startDaemon(): Promise<void> {
  daemon = world.start(["daemon", "--env-file", world.envFile, "--data-dir", world.cluster.dataDir, "--listen", listen, "--metrics-file", metricsFile(), "--log-level", "debug"], {
    NOTIFY_SOCKET: "/run/systemd/notify",
    WATCHDOG_USEC: "400000",
    PATH: `${world.directory}:${join(process.execPath, "..")}:/usr/bin:/bin`,
  });
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
  const value = (series: string): number | undefined => [...families.values()].flatMap(({ samples }) => [...samples]).find(([name]) => name === series)?.[1];
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
  const said = (): string => (existsSync(join(world.spool, "notified")) ? readFileSync(join(world.spool, "notified"), "utf8") : notified());
  await eventually("life signs", () => /^--ready --pid=\d+ --status=archiving/m.test(said()) && said().split("WATCHDOG=1").length > 2);
  const before = (await status()).archivedTotal;
  expect(before).toBeGreaterThan(0);
  killGroup(daemon.child, "SIGTERM");
  expect(await daemon.ended).toMatchObject({ status: 0 });
  expect(readFileSync(metricsFile(), "utf8")).toContain(`backup_wal_archived_total ${before}\n`);
  await startDaemon();
  expect((await status()).archivedTotal).toBeGreaterThanOrEqual(before);
});

test("without a resident archiver, status says what to do", async () => {
  killGroup(daemon.child, "SIGTERM");
  await daemon.ended;
  expect(await world.run(["status", "--env-file", world.envFile])).toMatchObject({ status: 80, stderr: expect.stringContaining("Start it with soar-wal-archive daemon") as string });
});
