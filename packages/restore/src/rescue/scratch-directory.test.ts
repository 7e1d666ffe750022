import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { readProcessStat } from "@soar/durable-files/processes";
import { requires, startUncollected } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createScratchDirectory, removeAbandoned } from "./scratch-directory.ts";

let tempDir: string;
beforeEach(() => void (tempDir = mkdtempSync(join(tmpdir(), "soar-scratch-"))));
afterEach(() => {
  vi.useRealTimers();
  rmSync(tempDir, { recursive: true });
});

test("of a rescue that lives nothing is removed, of one that kept its files neither", async () => {
  const scratch = await createScratchDirectory(tempDir, undefined);
  const kept = await createScratchDirectory(tempDir, undefined);
  await kept.keep();
  await kept.remove();
  expect(await removeAbandoned(tempDir)).toEqual([]);
  await scratch.remove();
  expect([existsSync(scratch.path), existsSync(kept.path)]).toEqual([false, true]);
  expect(await removeAbandoned(tempDir)).toEqual([]);
});

test("a rescue that locks its directory while another one looks for what was left keeps it", async () => {
  const listening = join(tempDir, "listening");
  const server = createServer((socket) => socket.end("1\n")).listen(listening);
  await once(server, "listening");
  const path = join(tempDir, "soar-rescue-abcdef");
  const lost: number[] = [];
  // At every moment of the look.
  for (let turns = 0; turns < 400; turns += 1) {
    mkdirSync(path);
    const looking = removeAbandoned(tempDir);
    for (let turn = 0; turn < turns; turn += 1) await nextTurn();
    linkSync(listening, join(path, "lock"));
    await looking;
    if (!existsSync(path)) lost.push(turns);
    rmSync(path, { recursive: true, force: true });
  }
  server.close();
  expect(lost).toEqual([]);
});

test("what was killed before it could lock its directory is removed later, and not while it may be at it", async () => {
  const path = join(tempDir, "soar-rescue-abcdef");
  mkdirSync(path);
  expect(await removeAbandoned(tempDir)).toEqual([]);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 3600_000 });
  expect(await removeAbandoned(tempDir)).toEqual([{ path, database: undefined }]);
  expect(existsSync(path)).toBe(false);
});

test("of a rescue of a version that held no lock nothing is removed until its process is gone", async () => {
  const path = join(tempDir, "soar-rescue-abcdef");
  mkdirSync(path);
  const child = spawn("sleep", ["60"]);
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "spawn");
  writeFileSync(join(path, "pid"), `${child.pid} ${(await readProcessStat(child.pid ?? 0))?.start ?? ""}\n`);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 3600_000 });
  expect(await removeAbandoned(tempDir)).toEqual([]);
  child.kill("SIGKILL");
  await once(child, "exit");
  vi.useRealTimers();
  expect(await removeAbandoned(tempDir)).toEqual([{ path, database: undefined }]);
});

test("of a rescue of a version that held no lock nothing stays whose process has ended and is collected by nobody", async () => {
  const path = join(tempDir, "soar-rescue-abcdef");
  mkdirSync(path);
  const { id, collect } = await startUncollected();
  onTestFinished(collect);
  writeFileSync(join(path, "pid"), `${id} ${(await readProcessStat(id))?.start ?? ""}\n`);
  expect(await removeAbandoned(tempDir)).toEqual([{ path, database: undefined }]);
});

test("of a rescue in another container nothing is removed until it is killed", requires("root"), async () => {
  const module = JSON.stringify(new URL("scratch-directory.ts", import.meta.url).href);
  const script = `import { createScratchDirectory } from ${module};
    const { path } = await createScratchDirectory(process.argv[1], undefined);
    console.log(path);
    setInterval(() => undefined, 1000);`;
  const node = ["--conditions=soar-source", "--input-type=module", "-e", script, tempDir];
  const container = spawn("unshare", ["--pid", "--fork", "--kill-child", "--mount-proc", process.execPath, ...node], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void container.kill("SIGKILL"));
  const [said] = (await once(container.stdout, "data")) as [Buffer];
  const path = said.toString().trim();
  expect(await removeAbandoned(tempDir)).toEqual([]);
  expect(existsSync(path)).toBe(true);
  container.kill("SIGKILL");
  await once(container, "exit");
  await expect.poll(() => removeAbandoned(tempDir), { timeout: 20_000 }).toEqual([{ path, database: undefined }]);
  expect(existsSync(path)).toBe(false);
});
