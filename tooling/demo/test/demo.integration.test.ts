import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
/** Starts servers and moves data; the machine may be busy with something else. */
const TIMEOUT_MS = 240_000;

describe("the demo with 30 MiB", { timeout: TIMEOUT_MS }, () => {
  /** Where the demo puts everything, so that what it leaves behind is seen. */
  let directory = "";

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "soar-demo-test-"));
    // The server's user has to get to its data directory.
    chmodSync(directory, 0o755);
  });

  afterEach(async () => {
    const left = [...filesLeft(directory), ...processesNaming(directory)];
    await rm(directory, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`the demo left behind: ${left.join(", ")}`);
  });

  test("everything is lost and comes back to the second before the accident, and it is told in 80 columns", async () => {
    const { status, stdout, stderr } = await finished(start(directory));
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const commands = joinLines(stdout);
    expect(commands).toContain(`\n   $ soar-base-backup --env-file ${directory}/`);
    expect(stdout).toMatch(/^ {3}Meanwhile [1-9]\d* transactions were committed\./m);
    expect(stdout).toMatch(/^ {3}soar=# DELETE FROM devices;\n {5}DELETE 400$/m);
    expect(commands).toMatch(/^ {3}\$ kill -9 \d+\n {3}\$ rm -r \S+$/m);
    expect(commands).toMatch(
      /^ {3}\$ soar-restore --env-file \S+ --target-time '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00' --yes$/m,
    );
    expect(stdout).toContain("\n   devices: 400 rows before the accident, 0 after it, 400 now.\n");
    expect(stdout).toMatch(/^ {3}PROVED: all [\d,]+ rows of 22 tables and partitions are as they were/m);
    expect(stdout.match(/^ +soar .*$/gm)).toHaveLength(2);
    // A path is never broken, so that it can be copied; this test's are longer than usual.
    expect(stdout.split("\n").filter((line) => line.length > 80 && !/^ +\S+$/.test(line))).toEqual([]);
    expect(stdout).not.toContain("\u001B");
  });

  test("a restore that goes to the wrong instant is noticed", async () => {
    const { status, stdout } = await finished(start(directory, { SOAR_DEMO_TARGET: "accident" }));
    expect(status).toBe(1);
    expect(stdout).toContain("\n   devices: 400 rows before the accident, 0 after it, 0 now.\n");
    expect(stdout).toMatch(/^ {3}NOT PROVED: \d+ tables are not as they were/m);
    expect(stdout).toContain("\n     soar: public.devices: 0 rows, before 400\n");
    expect(stdout).not.toMatch(/^ *PROVED/m);
  });

  test.each([
    ["SIGINT", "$ soar-base-backup"],
    ["SIGTERM", "$ soar-restore"],
  ] as const)("%s at '%s' ends it, and nothing stays", async (signal, line) => {
    const child = start(directory);
    const end = finished(child);
    await printed(child, line);
    child.kill(signal);
    expect(await end).toMatchObject({
      status: 128 + constants.signals[signal],
      stderr: `\ninterrupted by ${signal}: everything that this made is removed again\n`,
    });
  });
});

function start(directory: string, environment: Readonly<Record<string, string>> = {}): ChildProcess {
  const env = {
    ...process.env,
    NO_COLOR: undefined,
    FORCE_COLOR: undefined,
    TMPDIR: directory,
    SOAR_DEMO_MEGABYTES: "30",
    ...environment,
  };
  return spawn(process.execPath, ["--conditions=soar-source", MAIN], { env, stdio: ["ignore", "pipe", "pipe"] });
}

async function finished(child: ChildProcess): Promise<{ status: number | null; stdout: string; stderr: string }> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [status] = (await once(child, "close")) as [number | null];
  return { status, stdout, stderr };
}

/** Commands that go on behind a backslash, as a shell reads them. */
function joinLines(stdout: string): string {
  return stdout.replaceAll(/ \\\n +/g, " ");
}

async function printed(child: ChildProcess, line: string): Promise<void> {
  let all = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on("data", (text: string) => {
      all += text;
      if (all.includes(line)) resolve();
    });
    child.once("close", () => reject(new Error(`'${line}' was not printed, but:\n${all}`)));
  });
}

/** A server from npm that cannot be run where it lies is copied once and kept for all tests. */
function filesLeft(directory: string): string[] {
  return readdirSync(directory).filter((name) => !name.startsWith("soar-test-postgres-"));
}

function processesNaming(directory: string): string[] {
  const commands = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(commandLineOf);
  return commands.filter((command) => command.includes(directory));
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch (error) {
    // It ended meanwhile.
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return "";
    throw error;
  }
}
