import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PostgresInstallation, postgresMajors, requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, onTestFinished, test } from "vitest";
import { parseTimelineHistory } from "../timeline/timeline-history.ts";
import { connectSql } from "../replication/sql-connection.ts";
import { setRecoveryMode } from "../recovery-config/recovery-config.ts";
import { isClusterRunning, readClusterState } from "./cluster-state.ts";
import { createRecoverySource, type RecoverySource } from "../../test/recovery.fixture.ts";
import type { RecoveryEvent } from "./recovery-log.ts";
import { startCluster, type StartedCluster } from "./start-cluster.ts";
import { stopCluster } from "./stop-cluster.ts";
import { waitForRecovery, type OwnWords } from "./wait-for-recovery.ts";

async function start(source: RecoverySource, settings: Record<string, string> = {}): Promise<StartedCluster> {
  const { primary, restoredDir: dataDir, logFile } = source;
  const started = await startCluster({
    binDir: primary.binDir,
    dataDir,
    logFile,
    settings: { ...source.settings, ...settings },
  });
  onTestFinished(() => stopCluster({ dataDir, mode: "immediate" }).then(() => undefined));
  return started;
}

/**
 * Starts a server that is over before anybody looks: whoever starts it looks into another directory than it locks, and finds
 * nothing but its end.
 */
async function startUnseen(source: RecoverySource, settings: Record<string, string>): Promise<StartedCluster> {
  const { primary, restoredDir, logFile } = source;
  const unseen = await mkdtemp(join(tmpdir(), "soar-unseen-"));
  onTestFinished(() => rm(unseen, { recursive: true }));
  await chmod(unseen, 0o755);
  const exchange = `case $word in ${unseen}) word=${restoredDir};; data_directory=*) word=data_directory=${restoredDir};; esac`;
  await writeFile(
    join(unseen, "postgres"),
    `#!/bin/sh\nfor word do shift; ${exchange}; set -- "$@" "$word"; done\nexec ${primary.binDir}/postgres "$@"\n`,
    { mode: 0o755 },
  );
  return await startCluster({
    binDir: unseen,
    dataDir: unseen,
    owner: primary.owner,
    logFile,
    settings: { ...source.settings, ...settings },
  });
}

async function rowsOf(source: RecoverySource): Promise<unknown> {
  await using sql = await connectSql({ host: source.restoredDir, port: source.primary.port, user: "postgres" });
  const [row] = await sql.query(
    "select array_agg(n order by n) as rows, pg_is_in_recovery() as recovering from public.t",
  );
  return row;
}

async function newSource(installation: PostgresInstallation = requireInstallation()): Promise<RecoverySource> {
  const made = await createRecoverySource(installation);
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

test.each(postgresMajors())(
  "follows recovery of PostgreSQL $major to its end and tells where it ended",
  async (installation) => {
    const made = await newSource(installation);
    const [last] = await made.primary.query<{ at: Date }>("select at from t where n = 6");
    await made.primary.stop();
    const events: RecoveryEvent[] = [];
    const cluster = await start(made);
    const outcome = await waitForRecovery({ cluster, onEvent: (event) => events.push(event) });
    expect(outcome).toMatchObject({ kind: "promoted", timeline: 2, stop: undefined });
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["redo-started", "file-restored", "consistent", "redo-done"]),
    );
    expect(outcome.restoredFiles).toBeGreaterThanOrEqual(4);
    // The commit follows the row's own clock by no more than a moment.
    expect(Math.abs((outcome.lastCommitTime?.getTime() ?? 0) - (last?.at.getTime() ?? 0))).toBeLessThan(1_000);
    const history = await readFile(join(made.restoredDir, "pg_wal", "00000002.history"), "utf8");
    expect(outcome.reachedLsn).toBe(parseTimelineHistory(history, 2).entries.at(-1)?.switchLsn);
    expect(await rowsOf(made)).toEqual({ rows: [1, 2, 3, 4, 5, 6], recovering: false });
    expect(await readClusterState(made.restoredDir)).toMatchObject({
      running: true,
      pid: cluster.pid,
      status: "ready",
      orphans: [],
    });
    expect((await stat(join(made.restoredDir, "postmaster.pid"))).uid).toBe(made.primary.owner.uid);
    expect(await stopCluster({ dataDir: made.restoredDir })).toBe(true);
    expect(await stopCluster({ dataDir: made.restoredDir })).toBe(false);
  },
);

test.each(postgresMajors())(
  "a recovery target of PostgreSQL $major: promotes, pauses or shuts down there",
  async (installation) => {
    const made = await newSource(installation);
    const [third] = await made.primary.query<{ xid: string }>("select xmin::text as xid from t where n = 4");
    await made.primary.stop();
    const target = { recovery_target_xid: String(third?.xid) };

    const cluster = await start(made, { ...target, recovery_target_action: "pause" });
    const paused = await waitForRecovery({ cluster });
    expect(paused).toMatchObject({
      kind: "paused",
      timeline: 1,
      stop: expect.stringContaining("after commit of transaction") as string,
    });
    expect(await rowsOf(made)).toEqual({ rows: [1, 2, 3, 4], recovering: true });
    // Whoever asks it itself hears what the log says, and is believed.
    const asked: OwnWords[] = [];
    const isPaused = async (words: OwnWords): Promise<boolean> => asked.push(words) > 2;
    expect(await waitForRecovery({ cluster, isPaused })).toMatchObject({ kind: "paused" });
    const words = { isPaused: true, isOfServer: true };
    expect(asked.slice(1)).toEqual([words, words]);
    await stopCluster({ dataDir: made.restoredDir });

    const down = await waitForRecovery({
      cluster: await start(made, { ...target, recovery_target_action: "shutdown" }),
    });
    expect(down.kind).toBe("shut-down");
    expect(await isClusterRunning(made.restoredDir)).toBe(false);

    const promoted = await waitForRecovery({
      cluster: await start(made, { ...target, recovery_target_action: "promote" }),
    });
    expect(promoted).toMatchObject({ kind: "promoted", timeline: 2 });
    expect(await rowsOf(made)).toEqual({ rows: [1, 2, 3, 4], recovering: false });
  },
);

test("a server that has reached its target and shut down before anybody looks has not failed to start", async () => {
  const made = await newSource();
  await made.primary.stop();
  const unseen = await startUnseen(made, { recovery_target: "immediate", recovery_target_action: "shutdown" });
  const cluster = { ...unseen, dataDir: made.restoredDir };
  expect(await waitForRecovery({ cluster })).toMatchObject({ kind: "shut-down" });
});

test("a hot standby that dies later is a failure, though it had answered before", async () => {
  const made = await newSource();
  await made.primary.stop();
  // Answers as hot standby after the first segments; then the command asks PostgreSQL to stop.
  const command = join(made.archiveDir, "fetch");
  await writeFile(
    command,
    `#!/bin/sh\n[ -e ${made.archiveDir}/stop ] && { echo "wal-fetch: the bucket is on fire" >&2; exit 126; }\ncp ${made.archiveDir}/$1 $2\n`,
    { mode: 0o755 },
  );
  await setRecoveryMode(made.restoredDir, "standby");
  await chown(join(made.restoredDir, "standby.signal"), made.primary.owner.uid, made.primary.owner.gid);
  const cluster = await start(made, { restore_command: `${command} %f %p`, wal_retrieve_retry_interval: "50ms" });
  expect(await waitForRecovery({ cluster, until: "consistent" })).toMatchObject({ kind: "consistent", timeline: 1 });
  expect(await rowsOf(made)).toMatchObject({ recovering: true });
  await writeFile(join(made.archiveDir, "stop"), "");
  await expect(waitForRecovery({ cluster })).rejects.toMatchObject({
    code: "RECOVERY_FAILED",
    message: expect.stringMatching(/FATAL: could not restore file.*the bucket is on fire/s) as string,
  });
});

test.each([
  {
    what: "a target that the archive does not reach",
    settings: { recovery_target_time: "2999-01-01 00:00:00+00" },
    expected: { code: "RECOVERY_FAILED", message: /recovery ended before configured recovery target was reached/ },
  },
  {
    what: "a restore command that gives up",
    settings: { restore_command: "echo 'wal-fetch: no bucket' >&2; exit 126" },
    expected: { code: "RECOVERY_FAILED", message: /FATAL: could not restore file .*wal-fetch: no bucket/s },
  },
  {
    what: "the first WAL is missing",
    settings: { restore_command: "exit 1" },
    expected: { code: "RECOVERY_FAILED", message: /FATAL: could not locate required checkpoint record/ },
  },
  {
    what: "a server that is killed in recovery",
    // With its startup process, which would go on alone for a moment and say why it cannot.
    settings: { restore_command: "kill -9 $(head -n 1 postmaster.pid) $PPID; exit 1" },
    expected: { code: "RECOVERY_FAILED", message: /ended without saying why \(killed\?\)/ },
  },
  {
    what: "a timeline that is in no archive",
    settings: { recovery_target_timeline: "7" },
    expected: { code: "RECOVERY_FAILED", message: /FATAL: recovery target timeline 7 does not exist/ },
  },
  {
    what: "no command to recover with",
    settings: { restore_command: "" },
    expected: { code: "SERVER_START_FAILED", message: /FATAL: must specify "?restore_command/ },
  },
])("$what has one status, whether it is seen at the start or behind it", async ({ settings, expected }) => {
  const matching = { ...expected, message: expect.stringMatching(expected.message) as string };
  const made = await newSource();
  await made.primary.stop();
  await expect(startUnseen(made, settings)).rejects.toMatchObject(matching);
  const lines = (await readFile(made.logFile, "utf8"))
    .split("\n")
    .filter((line) => line.includes("starting PostgreSQL"));
  expect(lines).toHaveLength(1);
  // The same log, by who has seen it run.
  const pid = Number(/ \[(\d+)\] LOG: {2}starting PostgreSQL/.exec(await readFile(made.logFile, "utf8"))?.[1]);
  const cluster = { pid, dataDir: made.restoredDir, logFile: made.logFile, logOffset: 0 };
  await expect(waitForRecovery({ cluster })).rejects.toMatchObject(matching);
});

test("what keeps a server from starting has the status of a start, also where somebody has seen it run", async () => {
  const made = await newSource();
  // The primary has the port.
  await expect(
    startUnseen(made, { unix_socket_directories: made.primary.socketDir, listen_addresses: "127.0.0.1" }),
  ).rejects.toMatchObject({ code: "SERVER_START_FAILED" });
  const pid = Number(/ \[(\d+)\] LOG: {2}starting PostgreSQL/.exec(await readFile(made.logFile, "utf8"))?.[1]);
  const cluster = { pid, dataDir: made.restoredDir, logFile: made.logFile, logOffset: 0 };
  await expect(waitForRecovery({ cluster })).rejects.toMatchObject({
    code: "SERVER_START_FAILED",
    message: expect.stringMatching(/^unable to start the server of .*FATAL: could not create/s) as string,
  });
});

test("a killed server is a failure, and the wait can be given up", async () => {
  const made = await newSource();
  await made.primary.stop();
  const cluster = await start(made, { recovery_target: "immediate", recovery_target_action: "pause" });
  await waitForRecovery({ cluster });
  await expect(waitForRecovery({ cluster, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  process.kill(cluster.pid, "SIGKILL");
  await expect.poll(() => isClusterRunning(made.restoredDir)).toBe(false);
  await expect(waitForRecovery({ cluster })).rejects.toMatchObject({
    code: "RECOVERY_FAILED",
    message: expect.stringContaining("killed?") as string,
  });
});

test("a server that cannot start says why; a running one is not started twice", async () => {
  const made = await newSource();
  await expect(start(made, { no_such_setting: "1" })).rejects.toMatchObject({
    code: "SERVER_START_FAILED",
    message: expect.stringContaining('FATAL: unrecognized configuration parameter "no_such_setting"') as string,
  });
  const { binDir, dataDir } = made.primary;
  await expect(startCluster({ binDir, dataDir, logFile: made.logFile })).rejects.toMatchObject({
    code: "SERVER_RUNNING",
  });
  await expect(
    startCluster({ binDir: "/nonexistent", dataDir: made.restoredDir, logFile: made.logFile }),
  ).rejects.toMatchObject({ code: expect.stringMatching(/PROGRAM_MISSING|SERVER_START_FAILED/) as string });
});

test("a stale pid file is told from a running server, also when its number was given out again", async () => {
  const made = await newSource();
  const { dataDir, owner } = made.primary;
  expect(await readClusterState(dataDir)).toMatchObject({
    running: true,
    stalePidFile: false,
    port: made.primary.port,
    socketDir: made.primary.socketDir,
  });
  await made.primary.kill();
  expect(await readClusterState(dataDir)).toMatchObject({ running: false, pid: undefined, stalePidFile: true });
  const text = await readFile(join(dataDir, "postmaster.pid"), "utf8");
  await writeFile(join(dataDir, "postmaster.pid"), text.replace(/^\d+/, String(process.pid)));
  expect(await readClusterState(dataDir)).toMatchObject({ running: false, stalePidFile: true });
  await rm(join(dataDir, "postmaster.pid"));
  expect(await readClusterState(join(dataDir, "nowhere"))).toMatchObject({ running: false });
  expect(owner.uid).not.toBe(0);
});

test("processes that a killed postmaster leaves behind keep the directory in use", async () => {
  const made = await newSource();
  const { dataDir } = made.primary;
  const pid = Number(made.primary.pid());
  const busy = made.primary.query("select sum(n) from generate_series(1, 1000000000) n").catch(() => undefined);
  await expect
    .poll(() =>
      made.primary.query(
        "select count(*)::int as n from pg_stat_activity where query like 'select sum%' and state = 'active'",
      ),
    )
    .toEqual([{ n: 1 }]);
  process.kill(pid, "SIGKILL");
  await expect
    .poll(() => readClusterState(dataDir))
    .toMatchObject({ running: true, pid: undefined, stalePidFile: true });
  const { orphans } = await readClusterState(dataDir);
  expect(orphans.length).toBeGreaterThan(0);
  for (const orphan of orphans) process.kill(orphan, "SIGKILL");
  await busy;
  await expect.poll(() => isClusterRunning(dataDir)).toBe(false);
});
