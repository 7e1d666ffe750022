import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { runProgram } from "./run-program.ts";

const shell = (script: string, signal = new AbortController().signal) =>
  runProgram("sh", ["-c", script], { env: { PATH: "/usr/bin:/bin", GREETING: "hello" }, cwd: "/", signal });

test("returns what the program printed, without its log", async () => {
  expect(await shell("echo $GREETING; echo log >&2")).toBe("hello\n");
});

test("a failure has everything that was printed, and the status", async () => {
  await expect(shell("echo log >&2; exit 3")).rejects.toMatchObject({
    name: "ProgramFailure",
    message: "'sh -c echo log >&2; exit 3' ended with status 3",
    output: "log\n",
  });
  await expect(shell("kill -9 $$")).rejects.toThrow("ended with SIGKILL");
});

test("a program that does not exist is a failure", async () => {
  await expect(
    runProgram("soar-nothing", [], { env: { PATH: "/usr/bin" }, cwd: "/", signal: new AbortController().signal }),
  ).rejects.toThrow("ENOENT");
});

test("the signal ends the program", async () => {
  const controller = new AbortController();
  const reason = new Error("stopped by the test");
  const run = shell("exec sleep 60", controller.signal);
  controller.abort(reason);
  await expect(Promise.race([run, delay(20_000)])).rejects.toBe(reason);
  await expect(shell("true", controller.signal)).rejects.toBe(reason);
});
