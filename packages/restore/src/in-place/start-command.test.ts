import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requires } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startCommand } from "./start-command.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "soar-command-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const binDir = "/usr/lib/postgresql/15/bin";
const config = { configFile: "/etc/a b/postgresql.conf", settings: { work_mem: "5MB", x: "it's" }, brought: [] };

test("the command that starts a server as it was goes through a shell, and through the one of pg_ctl, as it is meant", async () => {
  const command = await startCommand({ kind: "pg_ctl" }, { dataDir, binDir, config });
  const shell = (text: string): string[] =>
    execFileSync("sh", ["-c", `printf '%s\\n' ${text}`], { encoding: "utf8" })
      .trimEnd()
      .split("\n");
  const words = shell(command);
  const [options = ""] = words.slice(words.indexOf("-o") + 1);
  expect(words.slice(words.indexOf(`${binDir}/pg_ctl`))).toEqual([
    `${binDir}/pg_ctl`,
    "-D",
    dataDir,
    "-o",
    options,
    "start",
  ]);
  expect(shell(options)).toEqual(["-c", "config_file=/etc/a b/postgresql.conf", "-c", "work_mem=5MB", "-c", "x=it's"]);
  expect(await startCommand({ kind: "systemd", unit: "a.service" }, { dataDir, binDir, config })).toBe(
    "systemctl start a.service",
  );
});

test("root is told by whom it is started, by name or by number", requires("root"), async () => {
  const plain = { dataDir, binDir, config: undefined };
  chownSync(dataDir, 1, 1);
  expect(await startCommand({ kind: "pg_ctl" }, plain)).toBe(
    `runuser -u daemon -- ${binDir}/pg_ctl -D ${dataDir} start`,
  );
  chownSync(dataDir, 12_345, 12_346);
  expect(await startCommand({ kind: "pg_ctl" }, plain)).toBe(
    `setpriv --reuid=12345 --regid=12346 --clear-groups -- ${binDir}/pg_ctl -D ${dataDir} start`,
  );
});

test("where there is no data directory nobody is named", async () => {
  const gone = join(dataDir, "gone");
  expect(await startCommand({ kind: "pg_ctl" }, { dataDir: gone, binDir, config: undefined })).toBe(
    `${binDir}/pg_ctl -D ${gone} start`,
  );
});
