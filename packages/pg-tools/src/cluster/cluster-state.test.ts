import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requires } from "@soar-tooling/test-bench";
import { describe, expect, onTestFinished, test } from "vitest";
import { findProcess, isUncollected, sendSignal } from "./cluster-processes.ts";
import { readClusterState } from "./cluster-state.ts";

async function newDirectory(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "soar-state-")));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/** A process that works in a directory, and is no server. */
async function startSleeper(cwd: string): Promise<number> {
  const child = spawn("sleep", ["60"], { cwd });
  onTestFinished(() => {
    child.kill();
  });
  await once(child, "spawn");
  return child.pid ?? 0;
}

test("a file of a server that has written no more than its process id", async () => {
  const dataDir = await newDirectory();
  const pid = await startSleeper(dataDir);
  // A standalone backend writes its id negated.
  for (const id of [pid, -pid]) {
    await writeFile(join(dataDir, "postmaster.pid"), `${id}\n`);
    expect(await readClusterState(dataDir)).toMatchObject({
      running: true,
      pid,
      status: "unknown",
      port: undefined,
      socketDir: undefined,
    });
  }
});

test.each(["", "0\n", "what\n"])("a file with %j instead of a process id names nobody", async (text) => {
  const dataDir = await newDirectory();
  await writeFile(join(dataDir, "postmaster.pid"), text);
  expect(await readClusterState(dataDir)).toMatchObject({ running: false, stalePidFile: false, uncollected: false });
});

test("what cannot be read is not taken for a directory without a server", async () => {
  const dataDir = await newDirectory();
  await mkdir(join(dataDir, "postmaster.pid"));
  await symlink("loop", join(dataDir, "loop"));
  for (const unreadable of [dataDir, join(dataDir, "loop")])
    await expect(readClusterState(unreadable)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      message: expect.stringContaining(`unable to tell whether a server runs on '${unreadable}'`) as string,
      hint: expect.stringContaining("the user that owns the data directory") as string,
    });
});

test("a server whose parent has not collected it has ended, and still holds its file", async () => {
  const dataDir = await newDirectory();
  // The shell becomes a sleep, which collects nobody.
  const parent = spawn("sh", ["-c", "sh -c 'echo $$' & exec sleep 60"], {
    cwd: dataDir,
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => {
    parent.kill();
  });
  const [said] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(said.toString());
  await expect.poll(() => isUncollected(pid)).toBe(true);
  await writeFile(join(dataDir, "postmaster.pid"), `${pid}\n`);
  expect(await readClusterState(dataDir)).toMatchObject({ running: false, stalePidFile: true, uncollected: true });
});

test.each([
  ["postmaster", true],
  ["postgres", true],
  ["archiver", false],
])("a process named %s that works in the directory keeps it in use: %s", async (name, running) => {
  const dataDir = await newDirectory();
  const program = join(dataDir, name);
  await copyFile("/bin/sleep", program);
  await chmod(program, 0o755);
  const child = spawn(program, ["60"], { cwd: dataDir });
  onTestFinished(() => {
    child.kill();
  });
  await once(child, "spawn");
  await expect.poll(() => findProcess(child.pid ?? 0)).toMatchObject({ name, directory: dataDir });
  const orphans = running ? [child.pid] : [];
  expect(await readClusterState(dataDir)).toMatchObject({ running, pid: undefined, orphans });
});

describe("a server in a container", requires("root"), () => {
  /** Runs what looks like a server where `from` is mounted as `to`. */
  async function startInContainer(from: string, to: string): Promise<number> {
    const program = join(await newDirectory(), "postgres");
    await copyFile("/bin/sleep", program);
    await chmod(program, 0o755);
    const script = 'mount --bind "$1" "$2" && cd "$2" && exec "$0" 60';
    const child = spawn("unshare", ["--mount", "sh", "-c", script, program, from, to]);
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    await expect.poll(() => findProcess(child.pid ?? 0)).toMatchObject({ name: "postgres" });
    return child.pid ?? 0;
  }

  test("works in its directory, whatever path that has there, and whatever process id it knows of itself", async () => {
    const [dataDir, inside] = [await newDirectory(), await newDirectory()];
    await writeFile(join(dataDir, "postmaster.pid"), "1\n");
    const pid = await startInContainer(dataDir, inside);
    expect(await readClusterState(dataDir)).toMatchObject({ running: true, pid: undefined, orphans: [pid] });
    expect(await readClusterState(inside)).toMatchObject({ running: false, orphans: [] });
  });

  test("is not taken for one of another directory that has the same path here", async () => {
    const [dataDir, its] = [await newDirectory(), await newDirectory()];
    const pid = await startInContainer(its, dataDir);
    for (const id of [1, pid]) {
      await writeFile(join(dataDir, "postmaster.pid"), `${id}\n`);
      expect(await readClusterState(dataDir)).toMatchObject({ running: false, orphans: [], stalePidFile: true });
    }
    expect(await readClusterState(its)).toMatchObject({ running: true, orphans: [pid] });
  });
});

test("a process that is gone gets no signal", async () => {
  const child = spawn("true");
  await once(child, "close");
  expect(sendSignal(child.pid ?? 0, "SIGTERM")).toBe(false);
});
