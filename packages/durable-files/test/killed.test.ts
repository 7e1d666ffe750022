import { spawnSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as files from "../src/index.ts";
import type { Owner } from "../src/index.ts";

const isRoot = files.isRoot();
const OWNER: Owner = isRoot
  ? { uid: 65534, gid: 65534 }
  : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
let root: string;
let directory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-killed-"));
  directory = join(root, "theirs");
  mkdirSync(directory);
  if (isRoot) chownSync(directory, OWNER.uid, OWNER.gid);
});
afterEach(() => rmSync(root, { recursive: true }));

/** Runs in another process, too: it may use nothing but its arguments. */
type Call = (files: typeof import("../src/index.ts"), directory: string, owner: Owner) => Promise<unknown>;

/** Runs a call of this package in a process of its own, which is killed before its n-th step on the file system. */
function run(call: Call, killBefore?: number): { readonly steps: readonly string[]; readonly isKilled: boolean } {
  const script = `import * as files from ${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)};
    await (${call.toString()})(files, ...process.argv.slice(1).map((text) => JSON.parse(text)));`;
  const { stdout, stderr, signal, status } = spawnSync(
    process.execPath,
    [
      "--conditions=soar-source",
      `--import=${fileURLToPath(new URL("observe-steps.ts", import.meta.url))}`,
      "--input-type=module",
      "-e",
      script,
      ...[directory, OWNER].map((value) => JSON.stringify(value)),
    ],
    {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], ...(killBefore === undefined ? {} : { SOAR_KILL_BEFORE: String(killBefore) }) },
    },
  );
  if (signal !== "SIGKILL" && status !== 0) throw new Error(stderr);
  return { steps: stdout.split("\n").filter(Boolean), isKilled: signal === "SIGKILL" };
}

/** Kills the call at every step in turn; afterwards `check` must hold, no leftover is in the way, and the call succeeds. */
async function expectAtEveryStep(call: Call, prepare: () => void, check: (isDone: boolean) => void): Promise<void> {
  for (let step = 1; ; step += 1) {
    for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
    prepare();
    const { isKilled } = run(call, step);
    check(!isKilled);
    if (!isKilled) return expect(step).toBeGreaterThan(3);
    await call(files, directory, OWNER);
    check(true);
    await files.removeLeftovers(directory, { idleMs: 0 });
    expect(readdirSync(directory).filter((name) => name.endsWith(".soar-tmp"))).toEqual([]);
  }
}

describe("killed at any moment,", () => {
  test("a replaced file is the old or the new one", { timeout: 120_000 }, async () => {
    await expectAtEveryStep(
      ({ replaceFile }, base) =>
        replaceFile(`${base}/file`, [Buffer.from("n"), Buffer.from("ew")], {
          mode: 0o604,
          sync: "directory",
          within: { base },
        }),
      () => writeFileSync(join(directory, "file"), "old", { mode: 0o600 }),
      (isDone) => {
        const text = readFileSync(join(directory, "file"), "utf8");
        expect(isDone ? ["new"] : ["old", "new"]).toContain(text);
        if (text === "new") expect(lstatSync(join(directory, "file"))).toMatchObject({ ...OWNER, mode: 0o100604 });
      },
    );
  });

  test("a new file is not there or whole, and a second one is refused", { timeout: 120_000 }, async () => {
    await expectAtEveryStep(
      ({ writeNew }, base) => writeNew(`${base}/file`, "whole", { mode: 0o640, sync: "directory" }),
      () => undefined,
      (isDone) => {
        if (!isDone && !existsSync(join(directory, "file"))) return;
        expect(readFileSync(join(directory, "file"), "utf8")).toBe("whole");
        expect(lstatSync(join(directory, "file"))).toMatchObject({ ...OWNER, mode: 0o100640 });
      },
    );
  });

  test("a link leads to the old or the new place", { timeout: 120_000 }, async () => {
    await expectAtEveryStep(
      ({ replaceLink }, base) => replaceLink(`${base}/link`, "new", { sync: "directory", within: { base } }),
      () => symlinkSync("old", join(directory, "link")),
      (isDone) => expect(isDone ? ["new"] : ["old", "new"]).toContain(readlinkSync(join(directory, "link"))),
    );
  });

  test("a directory is made in the end with its owner and mode", { timeout: 120_000 }, async () => {
    await expectAtEveryStep(
      ({ makeDirectory }, base, owner) =>
        makeDirectory(`${base}/a/b`, { mode: 0o750, sync: "directory", within: { base }, owner }),
      () => undefined,
      (isDone) => {
        if (isDone && isRoot) expect(lstatSync(join(directory, "a", "b"))).toMatchObject({ ...OWNER, mode: 0o040750 });
      },
    );
  });
});

describe("what is durable when a call resolves: the steps, with sync", () => {
  const attributes = isRoot ? ["chown", "chmod"] : ["chmod"];
  // Root goes down to a directory step by step, from the top on.
  const depth = join(tmpdir(), "root", "directory").split("/").length;
  const hold = isRoot ? Array.from({ length: depth + 1 }, () => "open") : [];
  const CALLS: Readonly<Record<files.Sync, Call>> = {
    directory: ({ replaceFile }, base) => replaceFile(`${base}/file`, "x", { mode: 0o600, sync: "directory" }),
    file: ({ replaceFile }, base) => replaceFile(`${base}/file`, "x", { mode: 0o600, sync: "file" }),
    none: ({ replaceFile }, base) => replaceFile(`${base}/file`, "x", { mode: 0o600, sync: "none" }),
  };
  test.each<[files.Sync, string[]]>([
    ["directory", [...hold, "open", "writeFile", ...attributes, "sync", "rename", ...(isRoot ? [] : ["open"]), "sync"]],
    ["file", [...hold, "open", "writeFile", ...attributes, "sync", "rename"]],
    ["none", [...hold, "open", "writeFile", ...attributes, "rename"]],
  ])("%s", (sync, expected) => {
    expect(run(CALLS[sync]).steps).toEqual(expected);
  });

  test("directory, of a move: the new name before the old one is gone for good", () => {
    mkdirSync(join(directory, "from"));
    mkdirSync(join(directory, "to"));
    writeFileSync(join(directory, "from", "file"), "x");
    const { steps } = run(({ moveEntry }, base) =>
      moveEntry(`${base}/from/file`, `${base}/to/file`, { sync: "directory" }),
    );
    expect(steps.filter((step) => step !== "open")).toEqual(["rename", "sync", "sync"]);
  });
});
