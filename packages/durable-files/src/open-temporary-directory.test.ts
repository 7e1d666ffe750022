import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { requires } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openTemporaryDirectory } from "./directories.ts";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "soar-parent-"));
});
const holders: ChildProcess[] = [];
afterEach(() => {
  for (const holder of holders.splice(0)) holder.kill("SIGKILL");
  rmSync(parent, { recursive: true });
});

/** Left by a process that was killed with SIGKILL; alive until then. */
async function startHolder(): Promise<{ readonly path: string; kill(): Promise<void> }> {
  const code = `import { openTemporaryDirectory } from ${JSON.stringify(new URL("directories.ts", import.meta.url).href)};
    console.log((await openTemporaryDirectory(${JSON.stringify(parent)}, "x-")).path);
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--conditions=soar-source", "--input-type=module", "--eval", code], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  holders.push(child);
  const [path] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  return {
    path: path.trim(),
    async kill() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

test("a directory goes with everything in it when it is not needed any more", async () => {
  {
    await using directory = await openTemporaryDirectory(parent, "x-");
    writeFileSync(join(directory.path, "key"), "secret");
    expect(lstatSync(directory.path).mode & 0o777).toBe(0o700);
  }
  expect(readdirSync(parent)).toEqual([]);
});

test("what a killed process has left is removed by the next one, and nothing of one that lives", async () => {
  const [killed, living] = [await startHolder(), await startHolder()];
  writeFileSync(join(killed.path, "key"), "secret");
  await killed.kill();
  {
    await using directory = await openTemporaryDirectory(parent, "x-");
    expect([existsSync(killed.path), existsSync(living.path), existsSync(directory.path)]).toEqual([false, true, true]);
  }
  await living.kill();
  await using _ = await openTemporaryDirectory(parent, "y-");
  expect(existsSync(living.path)).toBe(true);
});

test("a directory whose process locks it while another one looks for what was left stays", async () => {
  const listening = join(parent, "listening");
  const server = createServer((socket) => socket.end("1\n")).listen(listening);
  await once(server, "listening");
  const path = join(parent, "x-ffffff");
  const lost: number[] = [];
  // At every moment of the look.
  for (let turns = 0; turns < 400; turns += 1) {
    mkdirSync(path);
    const opening = openTemporaryDirectory(parent, "x-");
    for (let turn = 0; turn < turns; turn += 1) await nextTurn();
    linkSync(listening, join(path, "lock"));
    await (await opening)[Symbol.asyncDispose]();
    if (!existsSync(path)) lost.push(turns);
    rmSync(path, { recursive: true, force: true });
  }
  server.close();
  expect(lost).toEqual([]);
});

test("nothing is removed that may be another's: a link, another name, one that is being made", async () => {
  mkdirSync(join(parent, "target"));
  writeFileSync(join(parent, "target", "lock"), "");
  symlinkSync(join(parent, "target"), join(parent, "x-aaaaaa"));
  writeFileSync(join(parent, "x-bbbbbb"), "");
  for (const name of ["x-cccccc", "x-cccccc0", "x-ccccc", "x-CCCCCC"]) mkdirSync(join(parent, name));
  for (const name of ["x-cccccc0", "x-ccccc", "x-CCCCCC"]) writeFileSync(join(parent, name, "lock"), "");
  const before = readdirSync(parent);
  {
    await using _ = await openTemporaryDirectory(parent, "x-");
  }
  expect(readdirSync(parent)).toEqual(before);
  expect(readdirSync(join(parent, "target"))).toEqual(["lock"]);
});

test("as root, what another user has made stays, unless it is for that user", requires("root"), async () => {
  const theirs = { uid: 12_345, gid: 12_345 };
  const path = join(parent, "x-dddddd");
  mkdirSync(path);
  writeFileSync(join(path, "lock"), "");
  chownSync(path, theirs.uid, theirs.gid);
  {
    await using _ = await openTemporaryDirectory(parent, "x-");
  }
  expect(existsSync(path)).toBe(true);
  {
    await using directory = await openTemporaryDirectory(parent, "x-", { owner: theirs });
    expect(lstatSync(directory.path)).toMatchObject(theirs);
  }
  expect(readdirSync(parent)).toEqual([]);
});

test("what cannot be removed keeps nobody from a directory, and is told", async () => {
  const inside = join(parent, "x-eeeeee", "inside");
  mkdirSync(inside, { recursive: true });
  for (const name of ["lock", "inside/file"]) writeFileSync(join(parent, "x-eeeeee", name), "");
  // Root is refused where a directory has become somebody else's.
  if (process.geteuid?.() === 0) chownSync(inside, 12_345, 12_345);
  else chmodSync(inside, 0);
  const warned = once(process, "warning");
  {
    await using directory = await openTemporaryDirectory(parent, "x-");
    expect(existsSync(directory.path)).toBe(true);
  }
  expect(await warned).toMatchObject([{ name: "SoarWarning", message: expect.stringContaining("x-eeeeee") as string }]);
  expect(readdirSync(parent)).toEqual(["x-eeeeee"]);
  chmodSync(inside, 0o700);
});

test("where a file system has no sockets the directory is made without a lock", requires("root"), async () => {
  // The one for maps of the kernel has directories, and nothing else that a program can make by its name.
  const code = `import { existsSync, readdirSync } from "node:fs";
    import { openTemporaryDirectory } from ${JSON.stringify(new URL("directories.ts", import.meta.url).href)};
    {
      await using directory = await openTemporaryDirectory(${JSON.stringify(parent)}, "x-");
      console.log(existsSync(directory.path), readdirSync(directory.path));
    }
    console.log(readdirSync(${JSON.stringify(parent)}).filter((name) => name.startsWith("x-")));`;
  const node = [process.execPath, "--conditions=soar-source", "--input-type=module", "--eval", code];
  const script = 'mount -t bpf none "$1" && shift && exec "$@"';
  const { stdout } = await promisify(execFile)("unshare", ["--mount", "sh", "-c", script, "sh", parent, ...node]);
  expect(stdout).toBe("true []\n[]\n");
});
