import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from "vitest";
import { requireOwner } from "./cluster-owner.ts";
import { readClusterState } from "./cluster-state.ts";
import { startCluster, type StartClusterOptions } from "./start-cluster.ts";
import { stopCluster } from "./stop-cluster.ts";
import { waitForRecovery } from "./wait-for-recovery.ts";

let made: TestCluster;
beforeAll(async () => {
  made = await createTestCluster({ installation: requireInstallation(), start: false });
});
afterEach(() => stopCluster({ dataDir: made.dataDir, mode: "immediate" }).then(() => undefined));
afterAll(() => made.remove());

function options(more: Partial<StartClusterOptions> = {}): StartClusterOptions {
  return { binDir: made.binDir, dataDir: made.dataDir, logFile: join(made.socketDir, "started.log"), ...more };
}

test("starts with a configuration from elsewhere, the log that it asks for, and an environment", async () => {
  const configFile = join(made.socketDir, "elsewhere.conf");
  await copyFile(join(made.dataDir, "postgresql.conf"), configFile);
  await writeFile(configFile, "log_line_prefix = 'own form '\ncluster_name = 'elsewhere'\n", { flag: "a" });
  const { logFile, pid } = await startCluster(
    options({
      configFile,
      owner: await requireOwner(made.dataDir),
      logging: "own",
      env: { PATH: "/usr/bin:/bin", TZ: "UTC", SAID: "to the server" },
      until: "accepting",
    }),
  );
  expect(await made.query("select current_setting('cluster_name') as name")).toEqual([{ name: "elsewhere" }]);
  expect(await readFile(logFile, "utf8")).toMatch(/^own form LOG: .*ready to accept connections/m);
  expect(await readFile(`/proc/${pid}/environ`, "utf8")).toContain("SAID=to the server");
});

test("a start that takes too long, or is given up, ends the server and says so", async () => {
  for (const [given, expected] of [
    [{ timeoutMs: -1 }, { code: "SERVER_START_FAILED", message: expect.stringContaining("did not come up in time") }],
    [{ signal: AbortSignal.abort() }, { code: "ABORTED", message: expect.stringContaining("stopped by the caller") }],
  ] as const) {
    await expect(startCluster(options({ ...given, until: "accepting" }))).rejects.toMatchObject(expected);
    await expect.poll(() => readClusterState(made.dataDir)).toMatchObject({ running: false });
  }
});

test("a value that no command line can hold is no missing program", async () => {
  await expect(startCluster(options({ settings: { cluster_name: "a\0b" } }))).rejects.toMatchObject({
    code: "ERR_INVALID_ARG_VALUE",
  });
});

test("a server that does not end is told, and how to end it", async () => {
  const { dataDir } = made;
  const { pid } = await startCluster(options({ until: "accepting" }));
  process.kill(pid, "SIGSTOP");
  onTestFinished(() => void stopCluster({ dataDir, mode: "immediate" }));
  await expect(stopCluster({ dataDir, timeoutMs: -1 })).rejects.toMatchObject({
    code: "SERVER_RUNNING",
    hint: expect.stringContaining("Stop it in mode 'immediate'") as string,
  });
  await expect(stopCluster({ dataDir, mode: "immediate", timeoutMs: -1 })).rejects.toMatchObject({
    code: "SERVER_RUNNING",
    hint: expect.stringContaining("hang in the kernel") as string,
  });
  await expect(stopCluster({ dataDir, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  expect(await readClusterState(dataDir)).toMatchObject({ running: true, pid });
  process.kill(pid, "SIGCONT");
  await expect.poll(() => readClusterState(dataDir)).toMatchObject({ running: false });
});

test("a torn pg_control is read again, and told when it stays torn", async () => {
  await startCluster(options({ until: "accepting" }));
  const whole = await readFile(join(made.dataDir, "global", "pg_control"));
  const dataDir = await mkdtemp(join(tmpdir(), "soar-torn-"));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  await mkdir(join(dataDir, "global"));
  const control = join(dataDir, "global", "pg_control");
  const logFile = join(dataDir, "log");
  await writeFile(logFile, "2025-01-10 14:00:00.123 UTC [12] LOG:  database system is ready to accept connections\n");
  const torn = Buffer.concat([whole.subarray(0, 20), Buffer.alloc(whole.length - 20)]);
  const cluster = { pid: process.pid, dataDir, logFile, logOffset: 0 };
  await writeFile(control, torn);
  await expect(waitForRecovery({ cluster })).rejects.toMatchObject({ code: "FORMAT_INVALID" });
  const outcome = waitForRecovery({ cluster });
  await writeFile(control, whole);
  expect(await outcome).toMatchObject({ kind: "promoted", timeline: 1 });
  await rm(control);
  await mkdir(control);
  await expect(waitForRecovery({ cluster })).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
});

test("recovery from a crash ends on the timeline on which it began", async () => {
  const first = await startCluster(options({ until: "accepting" }));
  process.kill(first.pid, "SIGKILL");
  await expect.poll(() => readClusterState(made.dataDir)).toMatchObject({ running: false });
  const cluster = await startCluster(options());
  expect(await waitForRecovery({ cluster })).toMatchObject({ kind: "promoted", timeline: 1, stop: undefined });
});

test("a directory of root's is not started", async () => {
  await expect(requireOwner("/")).rejects.toMatchObject({
    code: "SERVER_START_FAILED",
    message: expect.stringContaining("the directory belongs to root") as string,
  });
});

test("processes that have no postmaster are waited for, not signalled", async () => {
  const directory = await mkdtemp(join(tmpdir(), "soar-orphans-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  await copyFile("/bin/sleep", join(directory, "postgres"));
  await chmod(join(directory, "postgres"), 0o755);
  const orphan = spawn(join(directory, "postgres"), ["60"], { cwd: directory });
  onTestFinished(() => {
    orphan.kill();
  });
  await once(orphan, "spawn");
  await expect.poll(() => readClusterState(directory)).toMatchObject({ running: true, orphans: [orphan.pid] });
  await expect(stopCluster({ dataDir: directory, timeoutMs: -1 })).rejects.toMatchObject({ code: "SERVER_RUNNING" });
  expect(orphan.signalCode).toBeNull();
});
