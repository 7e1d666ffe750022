import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ERROR_CODES } from "@soar/errors";
import { requires } from "@soar-tooling/test-bench";
import { expect, onTestFinished, test } from "vitest";

const UNITS = fileURLToPath(new URL("../systemd/", import.meta.url));
const ANALYZE = "/usr/bin/systemd-analyze";
const NAMES = ["soar-backup-base.service", "soar-backup-base.timer"];

test("systemd finds nothing wrong with the units", requires("systemd"), () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-units-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  for (const name of NAMES) {
    const unit = readFileSync(join(UNITS, name), "utf8");
    expect(unit).toMatch(/^\[Unit\]\n/);
    // Verified is the unit and not whether the package is installed here.
    writeFileSync(join(directory, name), unit.replace("/usr/local/bin/soar-base-backup", "/bin/true"));
  }
  const { status, stderr } = spawnSync(ANALYZE, ["verify", "--man=no", ...NAMES.map((name) => join(directory, name))], {
    encoding: "utf8",
  });
  expect(stderr.split("\n").filter((line) => line.includes("soar-backup"))).toEqual([]);
  expect(status).toBe(0);
});

test("a failure that time may cure is tried again, and no other", () => {
  const service = readFileSync(join(UNITS, "soar-backup-base.service"), "utf8");
  const never = new Set(/^RestartPreventExitStatus=(.*)$/m.exec(service)?.[1]?.split(" ").map(Number));
  const known = new Set<number>(Object.values(ERROR_CODES).map(({ exitStatus }) => exitStatus));
  expect([...never].filter((status) => !known.has(status))).toEqual([]);
  for (const code of [
    "STORE_UNREACHABLE",
    "STORE_BUSY",
    "SERVER_UNREACHABLE",
    "SERVER_FAILED",
    "BACKUP_INCOMPLETE",
    "BACKUP_RUNNING",
    "WAL_TIMEOUT",
  ] as const)
    expect([code, never.has(ERROR_CODES[code].exitStatus)]).toEqual([code, false]);
  for (const code of [
    "ABORTED",
    "BACKUP_DAMAGED_PAGES",
    "BACKUP_UNEXPLAINED_CHANGE",
    "BACKUP_UNFOLLOWED",
    "SERVER_DENIED",
    "STORE_DENIED",
    "CONFIG_INVALID",
    "USAGE",
  ] as const)
    expect([code, never.has(ERROR_CODES[code].exitStatus)]).toEqual([code, true]);
});

test("the timer has a calendar and makes up for what it missed", () => {
  const timer = readFileSync(join(UNITS, "soar-backup-base.timer"), "utf8");
  expect(timer).toContain("OnCalendar=Sun *-*-* 02:00:00");
  expect(timer).toContain("Persistent=true");
});

test("its calendar means Sundays at 02:00", requires("systemd"), () => {
  const { stdout } = spawnSync(ANALYZE, ["calendar", "--base-time=2025-01-08 00:00:00 UTC", "Sun *-*-* 02:00:00"], {
    encoding: "utf8",
    env: { TZ: "UTC" },
  });
  expect(stdout).toContain("Sun 2025-01-12 02:00:00 UTC");
});
