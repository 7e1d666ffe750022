import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram, type ProgramResult } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { formatGuard } from "./program-guard.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "soar guard "));
  for (const name of ["bin", "dist"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Launch {
  readonly program: string;
  /** Text of the bundle; undefined: there is none. */
  readonly bundle: string | undefined;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Statements that Node runs before the guard. */
  readonly before?: string;
}

async function launch({ program, bundle, args = [], env = {}, before }: Launch): Promise<ProgramResult> {
  const path = join(folder, "bin", `${program}.js`);
  await writeFile(path, formatGuard(program));
  if (bundle !== undefined) await writeFile(join(folder, "dist", "main.js"), bundle);
  const flags = before === undefined ? [] : ["--import", `data:text/javascript,${encodeURIComponent(before)}`];
  return await runProgram([process.execPath, ...flags, "--", path, ...args], { cwd: folder, env, mayFail: true });
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

/** Everything that users start, with the status that whoever waits for it takes for a failure. */
const PROGRAMS: readonly [string, Omit<Launch, "bundle">, number][] = [
  ["soar-base-backup", { program: "soar-base-backup" }, 70],
  ["soar-backup-verify", { program: "soar-backup-verify" }, 70],
  ["soar-restore", { program: "soar-restore" }, 70],
  ["restore_command", { program: "soar-restore", args: ["wal-fetch", "000000010000000000000001", "x"] }, 126],
  ["archive_command", { program: "soar-wal-archive" }, 70],
  [
    "archive_command through the launcher",
    { program: "soar-wal-archive", env: { SOAR_WAL_ARCHIVE_LAUNCHED: "1" } },
    70,
  ],
];

describe.each(PROGRAMS)("%s", (_name, program, failed) => {
  test.each(BROKEN)(`ends with ${failed} when the bundle %s`, async (_what, bundle) => {
    expect((await launch({ ...program, bundle })).status).toBe(failed);
  });

  test.each([1, 3, 70, 126])("ends with status %i when the program sets it", async (status) => {
    expect((await launch({ ...program, bundle: `process.exitCode = ${status};` })).status).toBe(status);
  });

  test("leaves crashes to the program's own handler", async () => {
    const bundle =
      'process.on("uncaughtException", () => { process.stderr.write("[hidden]"); process.exit(9); });\nsetTimeout(() => { throw new Error("secret"); }, 1);';
    expect(await launch({ ...program, bundle })).toMatchObject({ status: 9, stderr: "[hidden]" });
  });

  test("says that Node is too old", async () => {
    const before = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "22.9.0" } });';
    expect(await launch({ ...program, bundle: "process.exitCode = 0;", before })).toMatchObject({
      status: failed,
      stderr: expect.stringContaining("Node 22.9.0 is too old: Node 24 or newer is needed") as string,
    });
  });
});

test.each(PROGRAMS.slice(0, 5))("%s ends with 0 when the program says so", async (_name, program) => {
  expect((await launch({ ...program, bundle: "process.exitCode = 0;" })).status).toBe(0);
});

test("success is 100 for the launcher alone", async () => {
  const env = { SOAR_WAL_ARCHIVE_LAUNCHED: "1" };
  const bundle = "process.exitCode = 0;";
  expect((await launch({ program: "soar-wal-archive", bundle, env })).status).toBe(100);
  expect((await launch({ program: "soar-base-backup", bundle, env })).status).toBe(0);
});

test("a missing bundle says what to do", async () => {
  expect((await launch({ program: "soar-base-backup", bundle: undefined })).stderr).toBe(
    "soar-base-backup: unable to run: dist/main.js is missing\nhint: Install the package again; in a checkout, build with `npx turbo run build`.\n",
  );
});
