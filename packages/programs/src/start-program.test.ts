import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { launchProgram } from "./launch-program.ts";
import { startProgram, type StartProgramOptions } from "./start-program.ts";

const env = { PATH: "/usr/bin:/bin" };
const shell = (script: string, options: Partial<StartProgramOptions> = {}) =>
  startProgram("/bin/sh", ["-c", script], { env, ...options });

test("output is read at the reader's pace, complaints come line by line, endless lines in pieces", async () => {
  const lines: string[] = [];
  await using program = shell("echo one; printf 'a\\nb' >&2; head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 7", {
    onComplaint: (line) => lines.push(line),
  });
  expect(await text(program.stdout)).toBe("one\n");
  expect(await program.ended).toMatchObject({ status: 7, ending: "'sh' ended with exit status 7" });
  expect(lines[0]).toBe("a");
  expect(lines.slice(1).join("") === `b${"x".repeat(1_000_000)}`).toBe(true);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(150_000);
});

test("a program waits for its reader, and is ended when that loses interest", async () => {
  const program = shell("trap '' TERM PIPE; while :; do echo more; done 2>/dev/null", { forceAfterMs: 200 });
  for await (const piece of program.stdout) {
    expect(String(piece)).toMatch(/^more/);
    break;
  }
  await program[Symbol.asyncDispose]();
  expect((await program.ended).how).toBe("signal SIGKILL");
});

test("an abort ends it, and does not hide how it ended", async () => {
  const stop = new AbortController();
  await using program = shell("echo begun; sleep 600", { signal: stop.signal });
  for await (const piece of program.stdout) if (String(piece) === "begun\n") stop.abort();
  expect(await program.ended).toMatchObject({ status: undefined, how: "signal SIGTERM" });
});

test.each(["while it runs", "after it has ended"])(
  "an abort %s is not held up by somebody else who holds the output open",
  { timeout: 9_000 },
  async (when) => {
    const stop = new AbortController();
    const cwd = mkdtempSync(join(tmpdir(), "soar-programs-"));
    const script = `setsid sh -c 'echo $$ > left; exec sleep 600' & while ! [ -s left ]; do sleep 0.02; done; echo $$`;
    await using program = shell(script, { signal: stop.signal, cwd });
    const read = (async () => {
      for await (const piece of program.stdout) {
        if (when === "after it has ended") await expect.poll(() => existsSync(`/proc/${Number(piece)}`)).toBe(false);
        stop.abort();
      }
    })();
    await read.catch(() => undefined);
    expect((await program.ended).how).toMatch(/^exit status 0$|^signal SIGTERM$/);
    process.kill(Number(readFileSync(join(cwd, "left"), "utf8")));
    rmSync(cwd, { recursive: true });
  },
);

test("a program that cannot be run is named", async () => {
  await using program = startProgram("/nothing/there", [], { env });
  await expect(program.ended).rejects.toMatchObject({ code: "PROGRAM_MISSING" });
});

test("a launched program writes to the descriptor, and tells how it ended", async () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-programs-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const log = join(directory, "log");
  const launched = await launchProgram("/bin/sh", ["-c", "pwd; echo complaint >&2; exit 8"], {
    env,
    printTo: openSync(log, "w"),
  });
  expect(launched.pid).toBeGreaterThan(0);
  await expect.poll(() => launched.ended()).toMatchObject({ status: 8, how: "exit status 8" });
  expect(readFileSync(log, "utf8")).toBe("/\ncomplaint\n");
  await expect(launchProgram("/nothing/there", [], { env, printTo: 2 })).rejects.toMatchObject({
    code: "PROGRAM_MISSING",
  });
});
