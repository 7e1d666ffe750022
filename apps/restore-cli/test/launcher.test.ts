import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const BIN = fileURLToPath(new URL("../bin", import.meta.url));

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "soar-launcher-"));
  await cp(BIN, join(folder, "bin"), { recursive: true });
  await mkdir(join(folder, "dist"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Runs the launcher against a bundle with this text; `undefined` means that there is no bundle. */
async function launch(
  bundle: string | undefined,
  ...args: string[]
): Promise<{ status: number | null; stderr: string }> {
  if (bundle !== undefined) await writeFile(join(folder, "dist", "main.js"), bundle);
  const child = spawn(process.execPath, [join(folder, "bin", "soar-restore.js"), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return await new Promise((resolve) => child.once("close", (status) => resolve({ status, stderr })));
}

const BROKEN: readonly [string, string | undefined][] = [
  ["is missing", undefined],
  ["is empty", ""],
  ["is cut short", "function f() {"],
  ["imports a file that is missing", 'import "./chunk.js";'],
  ["throws while it loads", 'throw new Error("no");'],
  ["throws later", 'setTimeout(() => { throw new Error("later"); }, 1);'],
  ["rejects later", 'setTimeout(() => void Promise.reject(new Error("later")), 1);'],
  ["never settles", "await new Promise(() => {});"],
];

describe("wal-fetch, when the bundle", () => {
  test.each(BROKEN)("%s, stops recovery instead of ending it", async (_what, bundle) => {
    expect((await launch(bundle, "wal-fetch", "000000010000000000000001", "/tmp/x")).status).toBe(126);
  });

  test.each([0, 1, 126])("sets status %i, ends with it", async (status) => {
    expect((await launch(`process.exitCode = ${status};`, "wal-fetch", "x", "y")).status).toBe(status);
  });

  test("has a handler for crashes, leaves them to it", async () => {
    const bundle =
      'process.on("uncaughtException", () => { process.stderr.write("[hidden]"); process.exit(70); });\nsetTimeout(() => { throw new Error("secret"); }, 1);';
    expect(await launch(bundle, "wal-fetch", "x", "y")).toEqual({ status: 70, stderr: "[hidden]" });
  });
});

test("any other command without a bundle says what to do", async () => {
  expect(await launch(undefined, "--latest")).toEqual({
    status: 70,
    stderr:
      "soar-restore: unable to run: dist/main.js is missing\nhint: Install the package again; in a checkout, build with `npx turbo run build`.\n",
  });
});
