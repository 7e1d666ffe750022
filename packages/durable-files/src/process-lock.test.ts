import { execFile, spawn } from "node:child_process";
import { tracingChannel } from "node:diagnostics_channel";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { requires } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isHeld, tryLock } from "./process-lock.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-lock-"));
  path = join(directory, "lock");
});
afterEach(() => rmSync(directory, { recursive: true }));

async function take(): Promise<{ release(): Promise<void> }> {
  const outcome = await tryLock(path);
  if (!("release" in outcome)) throw new Error(`process ${outcome.processId} holds it`);
  return outcome;
}

test("is held until it is released, by one at a time", async () => {
  expect(await isHeld(path)).toBe(false);
  const lock = await take();
  expect(await isHeld(path)).toBe(true);
  expect(await tryLock(path)).toEqual({ processId: String(process.pid) });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await lock.release();
  expect(await isHeld(path)).toBe(false);
  await (await take()).release();
  expect(readdirSync(directory)).toEqual([]);
});

test.each([
  ["a process that is gone", "999999999 1@x\n"],
  ["an id that was given to another process since", `${process.pid} 1@x\n`],
  ["the same id and ticks before a reboot", `${process.pid} ${ownTicks()}@00000000\n`],
  ["nobody, because it is no lock", "../../x 1\n"],
  ["nobody, because it is empty", ""],
])("is not held by %s", async (_, content) => {
  writeFileSync(path, content);
  expect(await isHeld(path)).toBe(false);
  await (await take()).release();
  expect(readdirSync(directory)).toEqual([]);
});

test(
  "holds for a unit of systemd in a container, which sees another boot id, and in another container",
  requires("root"),
  async () => {
    writeFileSync(join(directory, "boot_id"), "00000000-0000-4000-8000-000000000000\n");
    const lock = await take();
    const look = `import { isHeld, tryLock } from ${JSON.stringify(new URL("process-lock.ts", import.meta.url).href)};
    console.log(await isHeld(process.argv[1]), JSON.stringify(await tryLock(process.argv[1])));`;
    const inside = async (): Promise<string> => {
      const node = [process.execPath, "--conditions=soar-source", "--input-type=module", "-e", look, path];
      const script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"';
      const { stdout } = await promisify(execFile)("unshare", [
        "--mount",
        "--pid",
        "--fork",
        "--mount-proc",
        "sh",
        "-c",
        script,
        join(directory, "boot_id"),
        ...node,
      ]);
      return stdout;
    };
    expect(await inside()).toBe(`true {"processId":"${process.pid}"}\n`);
    await lock.release();
    expect(await inside()).toBe("false {}\n");
  },
);

test("a link to a file of ours, put under its temporary name since it is listened on, is not followed", async () => {
  const victim = `${directory}-victim`;
  writeFileSync(victim, "");
  chmodSync(victim, 0o640);
  const { asyncEnd } = tracingChannel("net.server.listen");
  const exchange = (): void => {
    const [name = ""] = readdirSync(directory);
    rmSync(join(directory, name));
    symlinkSync(victim, join(directory, name));
  };
  asyncEnd.subscribe(exchange);
  const taken = await tryLock(path).catch((error: unknown) => error);
  asyncEnd.unsubscribe(exchange);
  const { mode } = statSync(victim);
  rmSync(victim);
  expect(mode & 0o777).toBe(0o640);
  expect(taken).toMatchObject({
    code: "FILE_UNWRITABLE",
    message: expect.stringContaining("is not the socket that was just made there"),
  });
  expect(readdirSync(directory)).toEqual([]);
});

test("needs no short path", async () => {
  const deep = join(directory, ...Array.from({ length: 20 }, () => "a directory"));
  mkdirSync(deep, { recursive: true });
  path = join(deep, "lock");
  const lock = await take();
  expect(await tryLock(path)).toEqual({ processId: String(process.pid) });
  await lock.release();
  expect(readdirSync(deep)).toEqual([]);
});

test("a killed process leaves it, and of many that find it so one at a time gets it", async () => {
  const module = JSON.stringify(new URL("process-lock.ts", import.meta.url).href);
  // Whoever is inside makes a file that must not be there; killed ones take it along by removing it first.
  const script = `import { tryLock } from ${module};
    import { rmSync, writeFileSync } from "node:fs";
    const [directory, isKilled] = process.argv.slice(1);
    for (let taken = 0; taken < 30;) {
      const lock = await tryLock(directory + "/lock");
      if (!("release" in lock)) continue;
      writeFileSync(directory + "/inside", "", { flag: "wx" });
      rmSync(directory + "/inside");
      if (isKilled === "yes") process.kill(process.pid, "SIGKILL");
      await lock.release();
      taken += 1;
    }`;
  const run = (isKilled: string): Promise<number | string | null> =>
    new Promise((resolve) =>
      spawn(process.execPath, ["--conditions=soar-source", "--input-type=module", "-e", script, directory, isKilled], {
        stdio: ["ignore", "inherit", "inherit"],
      }).once("close", (status, signal) => resolve(signal ?? status)),
    );
  const ends = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((number) => run(number % 4 === 0 ? "yes" : "no")));
  expect(ends).toEqual([0, 0, 0, "SIGKILL", 0, 0, 0, "SIGKILL"]);
  expect(existsSync(path)).toBe(false);
});

function ownTicks(): string {
  const text = readFileSync("/proc/self/stat", "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
