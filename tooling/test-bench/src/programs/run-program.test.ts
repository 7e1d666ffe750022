import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { runProgram } from "./run-program.ts";
import { startProgram, type StartOptions } from "./start-program.ts";

const options: StartOptions = { env: { PATH: "/usr/bin:/bin", GREETING: "hello" }, cwd: "/" };
const shell = (script: string, signal = new AbortController().signal) =>
  runProgram(["sh", "-c", script], { ...options, signal });

test("returns what the program printed, apart from its log", async () => {
  expect(await shell("echo $GREETING; echo log >&2")).toEqual({
    status: 0,
    signal: null,
    stdout: "hello\n",
    stderr: "log\n",
  });
});

test("a program reads its input, and may end without reading it", async () => {
  const long = "line\n".repeat(100_000);
  expect((await runProgram(["wc", "-l"], { ...options, input: long })).stdout.trim()).toBe("100000");
  expect(await runProgram(["true"], { ...options, input: long })).toMatchObject({ status: 0 });
  expect((await runProgram(["wc", "-c"], options)).stdout.trim()).toBe("0");
});

test("a failure has the status and everything that was printed", async () => {
  await expect(shell("echo log >&2; exit 3")).rejects.toMatchObject({
    name: "ProgramFailure",
    message: "'sh -c echo log >&2; exit 3' ended with status 3\nlog\n",
  });
  await expect(shell("kill -9 $$")).rejects.toThrow("ended with SIGKILL");
  expect(await runProgram(["sh", "-c", "exit 3"], { ...options, mayFail: true })).toMatchObject({ status: 3 });
});

test("a program that does not exist is a failure", async () => {
  await expect(runProgram(["soar-nothing"], { ...options, mayFail: true })).rejects.toThrow("ENOENT");
});

test("the signal ends the program", async () => {
  const controller = new AbortController();
  const reason = new Error("stopped by the test");
  const run = shell("exec sleep 60", controller.signal);
  controller.abort(reason);
  await expect(Promise.race([run, delay(20_000)])).rejects.toBe(reason);
  await expect(shell("true", controller.signal)).rejects.toBe(reason);
});

test("a group is ended whole, and one that does not listen is killed", async () => {
  const program = startProgram(["sh", "-c", "sh -c 'trap : TERM; echo up; while :; do sleep 60; done' & wait"], {
    ...options,
    group: true,
  });
  await program.says("up");
  program.end(200);
  // The inner shell holds the output open until the second signal.
  expect(await program.result).toMatchObject({ signal: "SIGTERM" });
  program.kill("SIGKILL");
});

test("waiting for a text ends with the program", async () => {
  const program = startProgram(["sh", "-c", "echo other"], options);
  await expect(program.says("text")).rejects.toThrow("'sh' ended without saying 'text':\nother\n");
});
