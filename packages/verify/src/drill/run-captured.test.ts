import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { runCaptured } from "./run-captured.ts";

const env = { PATH: "/usr/bin:/bin" };
const shell = (script: string, signal = new AbortController().signal) =>
  runCaptured("/bin/sh", ["-c", script], { env, signal });

/** A process that its parent has not collected has ended. */
function isRunning(pid: string): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", pid], { encoding: "utf8" });
  return stdout !== "" && !stdout.startsWith("Z");
}

test("status and output are told, each stream and both", async () => {
  expect(await shell("echo one; echo two >&2; exit 3")).toEqual({
    status: 3,
    ending: "'sh' ended with exit status 3",
    stdout: "one\n",
    stderr: "two\n",
    output: expect.stringMatching(/^(one\ntwo|two\none)\n$/),
  });
});

test("what a program leaves running with its output is neither waited for nor left", { timeout: 20_000 }, async () => {
  const result = await shell("sleep 600 & echo $!");
  expect(result).toMatchObject({ status: 0, output: expect.stringMatching(/^\d+\n$/) });
  await expect.poll(() => isRunning(result.stdout.trim())).toBe(false);
});

test("an abort ends a program that does not listen, with what it started", { timeout: 30_000 }, async () => {
  const stop = new AbortController();
  const running = shell("trap '' TERM; while :; do sleep 0.1; done", stop.signal);
  setTimeout(() => stop.abort(new Error("enough")), 200);
  await expect(running).rejects.toThrow("enough");
});

test("a program that is not there is named", async () => {
  await expect(runCaptured("/nothing/there", [], { env, signal: new AbortController().signal })).rejects.toMatchObject({
    code: "PROGRAM_MISSING",
  });
});
