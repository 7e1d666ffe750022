import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const INSTALL = fileURLToPath(new URL("../install.mjs", import.meta.url));
const SCRIPT = `
  const { installWorkspace } = await import(process.argv[1]);
  await installWorkspace(process.argv[2]).catch((error) => {
    process.stderr.write("error: " + error.message + "\\nhint: " + error.hint + "\\n");
    process.exitCode = 1;
  });
`;

/** What the fake npx does: counts its calls, and installs the one file that an install is known by. */
const INSTALLS = 'echo call >> "$SOAR_FAKE_CALLS"; mkdir -p node_modules/.bin; echo > node_modules/.bin/node';
const HANGS =
  'mkdir -p node_modules/half packages/a/node_modules; echo call >> "$SOAR_FAKE_CALLS"; echo started; exec tail -f /dev/null';

let folder: string;
let root: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "soar install "));
  root = join(folder, "check out");
  await mkdir(join(root, "packages", "a"), { recursive: true });
  await writeFile(join(root, "package.json"), JSON.stringify({ packageManager: "pnpm@1.2.3" }));
  await writeFile(join(root, "pnpm-lock.yaml"), "lock: 1\n");
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function start(npx: string | undefined, stdout: "pipe" | "ignore" = "ignore"): Promise<ChildProcess> {
  const bin = await mkdtemp(join(folder, "bin-"));
  if (npx !== undefined) {
    await writeFile(join(bin, "npx"), `#!/bin/sh\n${npx}\n`);
    await chmod(join(bin, "npx"), 0o755);
  }
  const env = {
    PATH: npx === undefined ? bin : [bin, "/usr/bin", "/bin"].join(delimiter),
    HOME: folder,
    SOAR_FAKE_CALLS: join(folder, "calls"),
  };
  return spawn(process.execPath, ["--input-type=module", "--eval", SCRIPT, INSTALL, root], {
    env,
    stdio: ["ignore", stdout, "pipe"],
  });
}

async function finish(child: ChildProcess): Promise<{ status: number | null; stderr: string }> {
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return await new Promise((resolve) => child.once("close", (status) => resolve({ status, stderr })));
}

const install = async (npx: string | undefined) => await finish(await start(npx));

async function calls(): Promise<number> {
  const text = await readFile(join(folder, "calls"), "utf8").catch(() => "");
  return text.split("\n").length - 1;
}

async function appears(path: string): Promise<void> {
  while ((await stat(path).catch(() => undefined)) === undefined) await new Promise((resolve) => setImmediate(resolve));
}

describe("installWorkspace", () => {
  test("installs once, and again when the lockfile or a package.json changed", async () => {
    expect(await install(INSTALLS)).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("installing with pnpm 1.2.3"),
    });
    expect(await install(INSTALLS)).toEqual({ status: 0, stderr: "" });
    expect(await calls()).toBe(1);
    await writeFile(join(root, "pnpm-lock.yaml"), "lock: 2\n");
    await install(INSTALLS);
    await writeFile(join(root, "packages", "a", "package.json"), "{}");
    await install(INSTALLS);
    expect(await calls()).toBe(3);
  });

  test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)("starts from nothing after %s in the middle", async (signal) => {
    const child = await start(HANGS);
    const ended = finish(child);
    await appears(join(folder, "calls"));
    const npx = Number(await firstChild(child.pid ?? 0));
    child.kill(signal);
    await ended;
    if (signal === "SIGKILL") process.kill(npx, "SIGKILL");
    expect(await install(INSTALLS)).toMatchObject({ status: 0 });
    for (const leftover of ["node_modules/half", "packages/a/node_modules"]) {
      await expect(stat(join(root, leftover))).rejects.toMatchObject({ code: "ENOENT" });
    }
    expect(await install(INSTALLS)).toEqual({ status: 0, stderr: "" });
  });

  test("waits for the install of another run and does not repeat it", async () => {
    const gate = join(folder, "gate");
    execFileSync("mkfifo", [gate]);
    const first = await start(`cat '${gate}'; ${INSTALLS}`);
    const firstEnd = finish(first);
    await appears(join(root, ".soar", "installing"));
    const second = await start(INSTALLS);
    const waits = new Promise<void>((resolve) => second.stderr?.once("data", () => resolve()));
    const secondEnd = finish(second);
    await waits;
    await writeFile(gate, "");
    expect(await firstEnd).toMatchObject({ status: 0 });
    expect(await secondEnd).toEqual({
      status: 0,
      stderr: `waiting for the install that process ${first.pid} runs in this folder\n`,
    });
    expect(await calls()).toBe(1);
  });

  test("says in two lines why npm's registry was not reached, and works the next time", async () => {
    const { status, stderr } = await install(
      "echo 'ERR_PNPM_META_FETCH_FAIL  GET https://registry.npmjs.org/x: getaddrinfo ENOTFOUND'; exit 1",
    );
    expect(status).toBe(1);
    expect(stderr).toContain(
      "error: unable to install the workspace: the npm registry cannot be reached\nhint: Check the network",
    );
    expect(await install(INSTALLS)).toMatchObject({ status: 0 });
  });

  test("says that npx is missing", async () => {
    expect((await install(undefined)).stderr).toContain(
      "error: unable to install the workspace: 'npx' is not on the PATH\nhint: Install npm 7",
    );
  });
});

/** The process that `pid` started, from the kernel. */
async function firstChild(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ")[0] ?? "";
}
