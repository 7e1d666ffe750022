import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const filterOf = (pid: number | string): string => readFileSync(`/proc/${pid}/coredump_filter`, "utf8").trim();

/** In a process of its own, because what it hides stays hidden. */
const SCRIPT = `
const { hideMemory, launchProgram, runProgram } = await import(process.argv[1]);
const { readFileSync } = await import("node:fs");
hideMemory();
hideMemory();
const own = readFileSync("/proc/self/coredump_filter", "utf8").trim();
const env = { PATH: "/usr/bin:/bin" };
const child = await runProgram("/bin/cat", ["/proc/self/coredump_filter"], { env });
const { pid } = await launchProgram("/bin/sleep", ["60"], { env, printTo: Number(process.argv[2]) });
console.log(JSON.stringify({ own, child: child.stdout.trim(), pid }));
`;

test("a core dump of the program, and of what it runs, holds nothing; one of a server that it starts holds what it always did", () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-dumps-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const log = openSync(join(directory, "log"), "w");
  onTestFinished(() => closeSync(log));
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=soar-source", "--input-type=module", "-e", SCRIPT, new URL("./index.ts", import.meta.url).href, "3"],
    { encoding: "utf8", stdio: ["ignore", "pipe", "pipe", log] },
  );
  expect(stderr).toBe("");
  const { own, child, pid } = JSON.parse(stdout) as { own: string; child: string; pid: number };
  onTestFinished(() => void execFileSync("kill", [String(pid)]));
  expect(Number.parseInt(own, 16)).toBe(0);
  expect(Number.parseInt(child, 16)).toBe(0);
  expect(filterOf(pid)).toBe(filterOf("self"));
  expect(Number.parseInt(filterOf(pid), 16)).not.toBe(0);
});
