import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { requires } from "@soar-tooling/test-bench";
import { expect, onTestFinished, test } from "vitest";
import { connectServiceManager } from "../src/daemon/service-manager.ts";

const UNIT = readFileSync(fileURLToPath(new URL("../systemd/soar-wal-archive.service", import.meta.url)), "utf8");
const ANALYZE = "/usr/bin/systemd-analyze";
const ACTIVATE = "/usr/bin/systemd-socket-activate";

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "soar-unit-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test("the unit grants what the archiver uses to tell that it lives", () => {
  for (const line of ["Type=notify", "NotifyAccess=all", "WatchdogSec=60", "User=postgres", "Restart=always"])
    expect(UNIT).toContain(`\n${line}\n`);
  expect(UNIT).toMatch(/\nAfter=.*postgresql\.service/);
});

test("systemd finds nothing wrong with the unit", requires("systemd"), () => {
  const file = join(temporaryDirectory(), "soar-wal-archive.service");
  // Verified is the unit and not whether the package is installed here.
  writeFileSync(file, UNIT.replace("/usr/local/bin/soar-wal-archive daemon", "/bin/true"));
  const { status, stderr } = spawnSync(ANALYZE, ["verify", "--man=no", file], { encoding: "utf8" });
  expect(stderr.split("\n").filter((line) => line.includes("soar-wal-archive"))).toEqual([]);
  expect(status).toBe(0);
});

test(
  "readiness, life and the end arrive at a real notification socket through the real systemd-notify",
  requires("systemd"),
  async () => {
    const socket = join(temporaryDirectory(), "notify");
    // A datagram socket, which Node cannot make, read by a program that prints what arrives.
    const systemd = spawn(ACTIVATE, ["--datagram", "--listen", socket, "sh", "-c", "exec cat <&3"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    onTestFinished(() => void systemd.kill("SIGKILL"));
    let said = "";
    systemd.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    await expect.poll(() => existsSync(socket)).toBe(true);
    const warnings: string[] = [];
    const service = connectServiceManager(
      { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: "100000" },
      { warn: (text) => warnings.push(text) },
    );
    let isAlive = true;
    service.ready("archiving /data");
    await expect.poll(() => said, { timeout: 20_000 }).toContain("READY=1");
    expect(said).toContain(`STATUS=archiving /data\nMAINPID=${process.pid}`);
    service.watch(() => isAlive);
    await expect.poll(() => said.split("WATCHDOG=1").length, { timeout: 20_000 }).toBeGreaterThan(2);
    service.stopping();
    await expect.poll(() => said, { timeout: 20_000 }).toContain("STOPPING=1");
    isAlive = false;
    service.close();
    expect(warnings).toEqual([]);
  },
);

test("a notification that does not arrive is told once, and ends nothing", async () => {
  const warnings: string[] = [];
  const service = connectServiceManager(
    { ...process.env, NOTIFY_SOCKET: join(temporaryDirectory(), "nobody") },
    { warn: (text) => warnings.push(text) },
  );
  service.ready("archiving");
  service.stopping();
  await expect.poll(() => warnings, { timeout: 20_000 }).toEqual([expect.stringContaining("unable to notify systemd")]);
  service.close();
});
