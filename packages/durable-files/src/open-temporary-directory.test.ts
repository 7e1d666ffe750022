import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

test("a directory that is made while others look for what was left stays", { timeout: 60_000 }, async () => {
  const code = `import { existsSync } from "node:fs";
    import { openTemporaryDirectory } from ${JSON.stringify(new URL("directories.ts", import.meta.url).href)};
    for (let round = 0; round < 300; round += 1) {
      await using directory = await openTemporaryDirectory(${JSON.stringify(parent)}, "x-");
      await new Promise((resolve) => setImmediate(resolve));
      if (!existsSync(directory.path)) throw new Error("it was removed");
    }`;
  const children = Array.from({ length: 3 }, () =>
    spawn(process.execPath, ["--conditions=soar-source", "--input-type=module", "--eval", code], { stdio: "inherit" }),
  );
  holders.push(...children);
  const statuses = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0] as number));
  expect(statuses).toEqual([0, 0, 0]);
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
