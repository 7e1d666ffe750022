import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

test("the first example of the README runs as it stands", async () => {
  const readme = await readFile(`${ROOT}/README.md`, "utf8");
  const [, code = ""] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  const options = ["--conditions=soar-source", "--input-type=module-typescript", "--eval", code];
  const running = promisify(execFile)(process.execPath, options, { cwd: ROOT });
  running.child.stdin?.end("the tar stream");
  const { stdout, stderr } = await running;
  expect(stdout).toBe("wal/000000010000000000000001 17 sixteen megabytes\n");
  expect(stderr).toBe("");
});
