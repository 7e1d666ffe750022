import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readProcessStat } from "@soar/durable-files/processes";
import { requires, startUncollected } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { isAtWork, lockRestore, requireAlone } from "./restore-lock.ts";
import { type RestoreRecord, writeRestoreRecord } from "./restore-record.ts";

/** Of a version that held no lock. */
const LEFT: RestoreRecord = {
  format: 1,
  phase: "fetch",
  systemIdentifier: "7",
  backup: "2025-01-01",
  target: "latest",
  stopLsn: "0/1",
  timeline: 1,
  action: "promote",
  tablespaces: [],
  processId: 0,
  processStart: "",
  startedAt: "2025-01-01T00:00:00Z",
  logOffset: 0,
  fetchedBytes: 0,
  sparedBytes: 0,
  totalBytes: 0,
};

let dataDir: string;
beforeEach(() => void (dataDir = mkdtempSync(join(tmpdir(), "soar-restore-lock-"))));
afterEach(() => rmSync(dataDir, { recursive: true }));

test("of two restores that begin at the same moment one is refused, and names the other", async () => {
  expect(await isAtWork(dataDir)).toBe(false);
  const lock = await lockRestore(dataDir, undefined);
  expect(await isAtWork(dataDir)).toBe(true);
  await expect(lockRestore(dataDir, undefined)).rejects.toMatchObject({
    code: "DIRECTORY_NOT_EMPTY",
    message: expect.stringContaining(`another soar-restore, process ${process.pid}, is at work there`) as string,
  });
  await lock.release();
  expect(await isAtWork(dataDir)).toBe(false);
  expect(readdirSync(join(dataDir, "soar-restore"))).toEqual([]);
});

test("a restore of a version that held no lock is at work as long as its process lives", async () => {
  const child = spawn("sleep", ["60"]);
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "spawn");
  const processId = child.pid ?? 0;
  const left = { ...LEFT, processId, processStart: (await readProcessStat(processId))?.start ?? "" };
  await writeRestoreRecord(dataDir, left, undefined);
  expect(await isAtWork(dataDir)).toBe(true);
  await expect(requireAlone(dataDir)).rejects.toMatchObject({ code: "DIRECTORY_NOT_EMPTY" });
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await isAtWork(dataDir)).toBe(false);
});

test("of a version that held no lock a restore that nobody collects is at work no more", async () => {
  const { id, collect } = await startUncollected();
  onTestFinished(collect);
  const processStart = (await readProcessStat(id))?.start ?? "";
  await writeRestoreRecord(dataDir, { ...LEFT, processId: id, processStart }, undefined);
  expect(await isAtWork(dataDir)).toBe(false);
});

test("a directory that has the name of the lock keeps nobody out", async () => {
  mkdirSync(join(dataDir, "soar-restore", "lock", "deep"), { recursive: true });
  await (await lockRestore(dataDir, undefined)).release();
  expect(readdirSync(join(dataDir, "soar-restore"))).toEqual([]);
});

test("a restore that ends late leaves the lock of the next one, which began when its directory was gone", async () => {
  const first = await lockRestore(dataDir, undefined);
  rmSync(join(dataDir, "soar-restore"), { recursive: true });
  const second = await lockRestore(dataDir, undefined);
  await first.release();
  expect(await isAtWork(dataDir)).toBe(true);
  rmSync(join(dataDir, "soar-restore"), { recursive: true });
  await second.release();
});

test(
  "a restore in another container is at work, whoever has its process id here, and until it is killed",
  requires("root"),
  async () => {
    const script = `import { lockRestore } from ${JSON.stringify(new URL("restore-lock.ts", import.meta.url).href)};
    await lockRestore(process.argv[1], undefined);
    console.log(process.pid);
    setInterval(() => undefined, 1000);`;
    const node = ["--conditions=soar-source", "--input-type=module", "-e", script, dataDir];
    const container = spawn("unshare", ["--pid", "--fork", "--kill-child", "--mount-proc", process.execPath, ...node], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void container.kill("SIGKILL"));
    const [said] = (await once(container.stdout, "data")) as [Buffer];
    // The first process of its container.
    expect(said.toString()).toBe("1\n");
    expect(await isAtWork(dataDir)).toBe(true);
    await expect(lockRestore(dataDir, undefined)).rejects.toMatchObject({ code: "DIRECTORY_NOT_EMPTY" });
    container.kill("SIGKILL");
    await once(container, "exit");
    await expect.poll(() => isAtWork(dataDir)).toBe(false);
    await (await lockRestore(dataDir, undefined)).release();
  },
);
