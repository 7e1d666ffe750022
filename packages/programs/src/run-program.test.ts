import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { registerSecret } from "@soar/errors";
import { expect, onTestFinished, test } from "vitest";
import { complaintOf, complaintsOf, requireProgram } from "./require-program.ts";
import { runIfPresent, runProgram, type ProgramResult, type RunProgramOptions } from "./run-program.ts";

const INDEX = pathToFileURL(join(import.meta.dirname, "index.ts")).href;
const env = { PATH: "/usr/bin:/bin" };
const shell = (script: string, options: Partial<RunProgramOptions> = {}): Promise<ProgramResult> =>
  runProgram("/bin/sh", ["-c", script], { env, ...options });

/** A process that its parent has not collected has ended. */
function isRunning(pid: string): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", pid], { encoding: "utf8" });
  return stdout !== "" && !stdout.startsWith("Z");
}

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "soar-programs-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

test("status and output are told, each stream and both", async () => {
  expect(await shell("echo one; echo two >&2; exit 3")).toEqual({
    status: 3,
    how: "exit status 3",
    ending: "'sh' ended with exit status 3",
    stdout: "one\n",
    stderr: "two\n",
    output: expect.stringMatching(/^(one\ntwo|two\none)\n$/),
  });
});

test("a program that a signal ends has no status", async () => {
  expect(await shell("kill -9 $$")).toMatchObject({
    status: undefined,
    how: "signal SIGKILL",
    ending: "'sh' was ended by SIGKILL",
  });
});

test("it gets the environment and the input that it is given, runs in /, and need not read", async () => {
  expect((await shell("env | grep -v -e PWD -e _=; pwd; cat", { input: "read\n" })).stdout).toBe(
    "PATH=/usr/bin:/bin\n/\nread\n",
  );
  expect(await shell("exec 0<&-; exit 4", { input: "x".repeat(1_000_000) })).toMatchObject({ status: 4 });
});

test("what it prints can go to a descriptor instead", async () => {
  const path = join(temporaryDirectory(), "log");
  expect(await shell("echo out; echo err >&2", { printTo: openSync(path, "w") })).toMatchObject({ output: "" });
  expect(readFileSync(path, "utf8")).toBe("out\nerr\n");
});

test("what a program leaves running with its output is neither waited for nor left", { timeout: 20_000 }, async () => {
  const result = await shell("sleep 600 & echo $!");
  expect(result).toMatchObject({ status: 0, output: expect.stringMatching(/^\d+\n$/) });
  await expect.poll(() => isRunning(result.stdout.trim())).toBe(false);
});

/** Ends with a status when something has left its group, whose process id is on the first line. */
const leave = (script: string, status: number): string =>
  `setsid sh -c 'echo $$ > left; echo $$; ${script}' & while ! [ -s left ]; do sleep 0.02; done; exit ${status}`;

test("what has left the group and holds the output open is not waited for", { timeout: 9_000 }, async () => {
  const { status, stdout } = await shell(leave("exec sleep 600", 5), { cwd: temporaryDirectory() });
  expect(isRunning(stdout.trim())).toBe(true);
  process.kill(Number(stdout));
  expect(status).toBe(5);
});

test("what has left the group and prints for ever is not listened to for ever", { timeout: 40_000 }, async () => {
  const endless = leave("while sleep 0.1; do echo more || exit; done", 6);
  const { status, stdout } = await shell(endless, { cwd: temporaryDirectory() });
  expect(status).toBe(6);
  expect(stdout).toContain("more");
  // Nobody reads any more.
  await expect.poll(() => isRunning(stdout.split("\n")[0] ?? ""), { timeout: 10_000 }).toBe(false);
});

test("what may outlive us is left running, and not waited for", { timeout: 20_000 }, async () => {
  const { status, stdout } = await shell("sleep 600 & echo $!", { mayOutlive: true });
  expect(status).toBe(0);
  expect(isRunning(stdout.trim())).toBe(true);
  process.kill(Number(stdout));
});

test("an abort ends a program that does not listen, with what it started", { timeout: 30_000 }, async () => {
  const stop = new AbortController();
  const started = join(temporaryDirectory(), "started");
  const script = `trap '' TERM; (trap '' TERM; echo $$; while :; do sleep 0.1; done) > ${started} & while :; do sleep 0.1; done`;
  const running = shell(script, { signal: stop.signal, forceAfterMs: 200 });
  await expect.poll(() => existsSync(started) && readFileSync(started, "utf8")).toMatch(/^\d+\n$/);
  stop.abort(new Error("enough"));
  await expect(running).rejects.toThrow("enough");
  await expect.poll(() => isRunning(readFileSync(started, "utf8").trim())).toBe(false);
});

test("nothing is started for a signal that is aborted already", async () => {
  const path = join(temporaryDirectory(), "touched");
  await expect(shell(`touch ${path}`, { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
  expect(existsSync(path)).toBe(false);
});

test("a program that hangs is ended when its time is up, and what it said is told", async () => {
  expect(await shell("echo waiting; sleep 600", { timeoutMs: 300 })).toMatchObject({
    status: undefined,
    how: "no end within 0.3 s",
    ending: "'sh' did not end within 0.3 s",
    stdout: "waiting\n",
  });
});

test("a program that cannot be run is named, whatever the reason", async () => {
  const directory = temporaryDirectory();
  const plain = join(directory, "plain");
  writeFileSync(plain, "#!/bin/sh\n", { mode: 0o600 });
  for (const [path, code] of [
    ["/nothing/there", "ENOENT"],
    ["soar-nothing", "ENOENT"],
    [plain, "EACCES"],
  ] as const)
    await expect(runProgram(path, [], { env })).rejects.toMatchObject({
      code: "PROGRAM_MISSING",
      message: expect.stringContaining(path) as string,
      cause: { code },
    });
  await expect(runProgram("/bin/true", ["x".repeat(10_000_000)], { env })).rejects.toMatchObject({
    code: "PROGRAM_MISSING",
    cause: { code: "E2BIG" },
  });
});

test("a program that need not be there is undefined when it is not, or may not be run", async () => {
  const plain = join(temporaryDirectory(), "plain");
  writeFileSync(plain, "#!/bin/sh\n", { mode: 0o600 });
  for (const path of ["/nothing/there", "/etc/passwd/none", "soar-nothing", plain])
    expect(await runIfPresent(path, [], { env })).toBeUndefined();
  expect(await runIfPresent("/bin/echo", ["here"], { env })).toMatchObject({ status: 0, stdout: "here\n" });
  const tooMany = runIfPresent("/bin/true", ["x".repeat(10_000_000)], { env });
  await expect(tooMany).rejects.toMatchObject({ code: "PROGRAM_MISSING" });
});

test("of endless output beginning and end are kept, and memory stays bounded", { timeout: 60_000 }, async () => {
  const before = process.memoryUsage.rss();
  const { stdout, stderr } = await shell("echo first; yes | head -c 300000000; echo last; echo told >&2", {
    maxCharacters: 1000,
  });
  expect(stdout).toMatch(/^first\ny\ny\n[^]*\n\[299\d{6} characters left out\]\n[^]*y\nlast\n$/);
  expect(stdout.length).toBeLessThan(1100);
  expect(stderr).toBe("told\n");
  expect(process.memoryUsage.rss() - before).toBeLessThan(150e6);
});

test("secrets are not told", async () => {
  registerSecret("hunter2-hunter2");
  const { stdout, stderr, output } = await shell("echo hunter2-hunter2; echo postgres://me:hidden-one@host/ >&2");
  expect(stdout).toBe("[hidden]\n");
  expect(stderr).toBe("postgres://me:[hidden]@host/\n");
  expect(output).not.toMatch(/hunter2|hidden-one/);
});

test("of what a program said, its faults are shown, else everything", async () => {
  const noisy = "for i in 1 2 3 4 5 6; do echo note $i >&2; echo error: $i >&2; done; exit 1";
  expect(complaintOf(await shell(noisy))).toBe("'sh' ended with exit status 1; error: 1; error: 2; error: 3");
  expect(complaintsOf(await shell("echo out; echo plain >&2"))).toEqual(["plain"]);
  expect(complaintsOf(await shell("echo ' only out'"))).toEqual(["only out"]);
  await expect(requireProgram("/bin/sh", ["-c", noisy], { env, hint: "Repair it." })).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    message: "unable to run '/bin/sh': exit status 1; error: 1; error: 2; error: 3; error: 4; error: 5",
    hint: "Repair it.",
  });
  expect(await requireProgram("/bin/echo", ["fine"], { env, hint: "" })).toMatchObject({ stdout: "fine\n" });
});

test("a program that became another user's and cannot be ended is not waited for", () => {
  // Root without the right to end what others run; who is not root has no programs of others to begin with.
  const isRoot = process.geteuid?.() === 0;
  const [wrapper, ...limits] = isRoot ? (["setpriv", "--bounding-set=-kill"] as const) : (["env"] as const);
  const owner = isRoot ? "{ uid: 65534, gid: 65533 }" : "undefined";
  const script = `
    import { runProgram } from ${JSON.stringify(INDEX)};
    const options = { env: { PATH: "/usr/bin:/bin" }, owner: ${owner}, timeoutMs: 300, forceAfterMs: 100 };
    console.log(JSON.stringify(await runProgram("/bin/sh", ["-c", "echo $$; exec sleep 600"], options)));
  `;
  const args = [...limits, process.execPath, "--conditions=soar-source", "--eval", script];
  const { status, stdout, stderr } = spawnSync(wrapper, args, { encoding: "utf8", timeout: 30_000 });
  expect(stderr).toBe("");
  const result = JSON.parse(stdout) as ProgramResult;
  if (isRunning(result.stdout.trim())) process.kill(Number(result.stdout));
  // Nor does it keep this process alive.
  expect(status).toBe(0);
  expect(result.how).toBe("no end within 0.3 s");
});

/** Runs a script that prints the process ids of programs that it runs and exits while they run. */
function runAndExit(mayOutlive: boolean): { readonly pid: string } {
  const script = `
    import { endAllPrograms, runProgram } from ${JSON.stringify(INDEX)};
    import { existsSync, readFileSync } from "node:fs";
    const path = ${JSON.stringify(join(temporaryDirectory(), "pid"))};
    void runProgram("/bin/sh", ["-c", "echo $$ > " + path + "; exec sleep 600"], { env: { PATH: "/usr/bin:/bin" }, mayOutlive: ${mayOutlive} });
    while (!existsSync(path) || readFileSync(path, "utf8") === "") await new Promise((resolve) => setTimeout(resolve, 5));
    console.log(readFileSync(path, "utf8"));
    endAllPrograms();
    process.exit(0);
  `;
  const options = { encoding: "utf8", timeout: 30_000 } as const;
  const { stdout, stderr } = spawnSync(process.execPath, ["--conditions=soar-source", "--eval", script], options);
  expect(stderr).toBe("");
  return { pid: stdout.trim() };
}

test("a process that exits can end its programs, but for those that may outlive it", async () => {
  const tied = runAndExit(false).pid;
  await expect.poll(() => isRunning(tied)).toBe(false);
  const free = runAndExit(true).pid;
  expect(isRunning(free)).toBe(true);
  process.kill(Number(free));
});
