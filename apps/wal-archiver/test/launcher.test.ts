import { spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findFileIdentity } from "@soar/archive/client";
import { requires } from "@soar-tooling/test-bench";

const LAUNCHER = fileURLToPath(new URL("../bin/soar-wal-archive", import.meta.url));
const NAME = "000000010000000000000007";

/** An installation in which Node is whatever a test says it is. */
let root: string;
let launcher: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-launcher-"));
  launcher = join(root, "apps", "x", "bin", "soar-wal-archive");
  mkdirSync(join(root, "apps", "x", "bin"), { recursive: true });
  for (const directory of ["ack", "busy"]) mkdirSync(join(root, "spool", directory), { recursive: true });
  mkdirSync(join(root, "node_modules", ".bin"), { recursive: true });
  copyFileSync(LAUNCHER, launcher);
  writeFileSync(join(root, "env"), "");
  writeFileSync(join(root, NAME), "the segment");
});
afterEach(() => rmSync(root, { recursive: true }));

function installNode(script: string): void {
  const node = join(root, "node_modules", ".bin", "node");
  writeFileSync(node, `#!/bin/sh\n${script}\n`);
  chmodSync(node, 0o755);
}

interface Result {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn("/bin/sh", [launcher, ...args], {
    cwd: root,
    env: { PATH: "/usr/bin:/bin", BACKUP_SPOOL_DIR: join(root, "spool"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Result>((resolve) =>
    child.once("close", (status, signal) => resolve({ status, signal, stderr })),
  );
  return { child, ended };
}
const push = (env?: Readonly<Record<string, string>>, file = NAME): Promise<Result> =>
  start(["--env-file", join(root, "env"), file, NAME], env).ended;

async function acknowledge(
  changes: {
    readonly file?: string;
    readonly envFile?: string;
    readonly from?: string;
    readonly log?: string;
    readonly believed?: readonly string[];
  } = {},
): Promise<void> {
  const identity = async (path: string): Promise<string> => (await findFileIdentity(path))?.text ?? "-";
  const lines = [
    changes.file ?? (await identity(join(root, NAME))),
    changes.envFile ?? (await identity(join(root, "env"))),
    "s3://bucket/one",
    "http://e:1",
    changes.from ?? "file file",
    changes.log ?? "off",
    "7",
    ...(changes.believed ?? ["-", "-"]),
  ];
  writeFileSync(join(root, "spool", "ack", NAME), `${lines.join("\n")}\n`);
}

describe("whatever becomes of Node, the exit status is one that PostgreSQL counts:", () => {
  test.each([
    ["archived", "exit 100", 0],
    ["an empty program, which ends with 0", "exit 0", 70],
    ["a failure of the table", "exit 61", 61],
    ["a crash of Node", "exit 1", 1],
    ["out of memory", "kill -ABRT $$", 70],
    ["killed", "kill -KILL $$", 70],
    ["no such program", "exit 127", 70],
    ["wal-fetch's status", "exit 126", 70],
    ["held up by a file system, having failed", "kill -USR1 $PPID; exec sleep 0.1", 20],
    [
      "held up by a file system, having archived",
      "printf soar-archived >/proc/$$/comm; kill -USR1 $PPID; sleep 0.1; exit 1",
      0,
    ],
  ])("%s", async (_, script, status) => {
    installNode(script);
    expect(await push()).toMatchObject({ status, signal: null });
  });

  test("a signal to the launcher alone reaches Node, and Node's status is kept", async () => {
    installNode("trap 'exit 4' TERM; echo up; while :; do sleep 0.02; done");
    const { child, ended } = start(["--env-file", join(root, "env"), NAME, NAME]);
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ status: 4, signal: null });
  });

  test("no Node at all", async () => {
    // Nothing but what the launcher itself needs.
    expect(await push({ PATH: join(root, "nowhere") })).toMatchObject({
      status: 23,
      stderr: expect.stringContaining("there is no node") as string,
    });
  });
});

describe("the program as it is installed", () => {
  /** Preloaded, as whatever goes wrong inside of the program. */
  async function runWith(script: string): Promise<Result> {
    const preloaded = join(root, "preloaded.cjs");
    writeFileSync(preloaded, script);
    launcher = LAUNCHER;
    return push({
      NODE_OPTIONS: `--max-old-space-size=24 --require ${preloaded}`,
      BACKUP_BUCKET: "file:///nowhere",
      SOAR_REQUIRE_ENDPOINT: "1",
    });
  }

  test("runs out of memory, and ends with a status that PostgreSQL counts", async () => {
    const { status, signal, stderr } = await runWith(
      "const held = []; for (;;) held.push(new Array(1000).fill(held.length));",
    );
    expect({ status, signal }).toEqual({ status: 70, signal: null });
    expect(stderr).toContain("134 and 137 mean that memory ran out");
  });

  test.each([
    ["throws an error that nobody catches", "setTimeout(() => { throw new Error('nobody catches it'); }, 0);"],
    [
      "rejects a promise that nobody waits for",
      "setTimeout(() => void Promise.reject(new Error('nobody catches it')), 0);",
    ],
  ])("%s, and ends with a status that PostgreSQL counts", async (_, script) => {
    const { status, signal, stderr } = await runWith(script);
    expect(signal).toBeNull();
    expect(status).toBeGreaterThan(0);
    expect(status).toBeLessThanOrEqual(125);
    expect(stderr).not.toBe("");
  });
});

describe("an acknowledgement is believed", () => {
  beforeEach(() => installNode("exit 99"));

  test("for this very file and repository, without a word and without Node", async () => {
    await acknowledge();
    expect(await push()).toEqual({ status: 0, signal: null, stderr: "" });
    expect((await push({ BACKUP_BUCKET: "s3://bucket/one", AWS_ENDPOINT_URL: "http://e:1" })).status).toBe(0);
  });

  test("with the line of BACKUP_LOG_ARCHIVE when it is on", async () => {
    await acknowledge({ log: "on" });
    expect((await push()).stderr).toMatch(
      new RegExp(`^\\d{4}-\\d\\d-\\d\\dT[0-9:.]+Z info  wal-archiver archived write-ahead log file "${NAME}"\n$`),
    );
    expect((await push({ BACKUP_LOG_ARCHIVE: "off" })).stderr).toBe("");
  });

  test("in a spool that only the env file names", async () => {
    writeFileSync(join(root, "env"), `# where\nexport BACKUP_SPOOL_DIR="${join(root, "spool")}"\n`);
    await acknowledge();
    expect((await push({ BACKUP_SPOOL_DIR: "" })).status).toBe(0);
  });

  test.each([
    ["another file", { file: "1 2 3 4.000000005" }, {}],
    ["another env file", { envFile: "1 2 3 4.000000005" }, {}],
    ["an env file that was not there", { envFile: "-" }, {}],
    ["another bucket", {}, { BACKUP_BUCKET: "s3://bucket/two" }],
    ["another endpoint", {}, { AWS_ENDPOINT_URL: "http://e:2" }],
    ["an archiver whose bucket was not the env file's", { from: "explicit file" }, {}],
    ["an archiver whose endpoint was not the env file's", { from: "file explicit" }, {}],
    ["a time that is over", { believed: ["1", "2"] }, {}],
    ["a time to come", { believed: ["99999999990", "99999999999"] }, {}],
    ["a time that is none", { believed: ["-", "99999999999"] }, {}],
    ["no time", { believed: ["", ""] }, {}],
    ["an acknowledgement that was cut off", { believed: [] }, {}],
  ])("not for %s", async (_, changes, env) => {
    await acknowledge(changes);
    expect((await push(env)).status).toBe(99);
  });

  test("within its time", async () => {
    await acknowledge({ believed: ["1", "99999999999"] });
    expect((await push()).status).toBe(0);
  });

  test("not when the file was written again, replaced by a copy, or when it was cut off itself", async () => {
    await acknowledge();
    writeFileSync(join(root, NAME), "the segment");
    expect((await push()).status).toBe(99);
    await acknowledge();
    copyFileSync(join(root, NAME), join(root, "copy"));
    expect((await push({}, "copy")).status).toBe(99);
    writeFileSync(join(root, "spool", "ack", NAME), (await findFileIdentity(join(root, NAME)))?.text ?? "");
    expect((await push()).status).toBe(99);
  });

  test("that comes while the archiver is at work on the file", async () => {
    writeFileSync(join(root, "spool", "busy", NAME), "");
    // Its `sleep` is the archiver that finishes meanwhile.
    await acknowledge();
    renameSync(join(root, "spool", "ack", NAME), join(root, "later"));
    const bin = join(root, "bin");
    mkdirSync(bin);
    writeFileSync(
      join(bin, "sleep"),
      `#!/bin/sh\n[ "$1" != 3 ] || exec /bin/sleep 3\nmv "${root}/later" "${root}/spool/ack/${NAME}" && rm "${root}/spool/busy/${NAME}"\n`,
    );
    chmodSync(join(bin, "sleep"), 0o755);
    expect(await push({ PATH: `${bin}:/usr/bin:/bin` })).toEqual({ status: 0, signal: null, stderr: "" });
  });

  test("not for ever: a mark that a killed archiver left costs a second, then Node decides", async () => {
    writeFileSync(join(root, "spool", "busy", NAME), "");
    expect((await push()).status).toBe(99);
  });

  test("not of another user, who may have put it there", requires("root"), async () => {
    await acknowledge();
    expect((await push()).status).toBe(0);
    chownSync(join(root, "spool", "ack", NAME), 65_534, 65_534);
    expect((await push()).status).toBe(99);
    // Nor is what a link of ours leads to.
    renameSync(join(root, "spool", "ack", NAME), join(root, "theirs"));
    symlinkSync(join(root, "theirs"), join(root, "spool", "ack", NAME));
    expect((await push()).status).toBe(99);
  });

  test("not for a name that could lead out of the spool, nor for a subcommand", async () => {
    await acknowledge();
    expect((await start([NAME, `../ack/${NAME}`]).ended).status).toBe(99);
    expect((await start(["gap", "list"]).ended).status).toBe(99);
  });
});
