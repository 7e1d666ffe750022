import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { requires } from "@soar-tooling/test-bench";
import { expect, onTestFinished, test } from "vitest";

const UNITS = fileURLToPath(new URL("../systemd/", import.meta.url));
const ANALYZE = "/usr/bin/systemd-analyze";
const NAMES = [
  "soar-backup-verify.service",
  "soar-backup-verify.timer",
  "soar-backup-drill.service",
  "soar-backup-drill.timer",
];

test("systemd finds nothing wrong with the units", requires("systemd"), () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-units-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  for (const name of NAMES) {
    const unit = readFileSync(join(UNITS, name), "utf8");
    expect(unit).toMatch(/^\[Unit\]\n/);
    // Verified is the unit and not whether the package is installed here.
    writeFileSync(join(directory, name), unit.replace(/\/usr\/local\/bin\/soar-backup-verify/, "/bin/true"));
  }
  const { status, stderr } = spawnSync(ANALYZE, ["verify", "--man=no", ...NAMES.map((name) => join(directory, name))], {
    encoding: "utf8",
  });
  expect(stderr.split("\n").filter((line) => line.includes("soar-backup"))).toEqual([]);
  expect(status).toBe(0);
});

test("the drill is the drill, the verification is what the program does by default", () => {
  expect(readFileSync(join(UNITS, "soar-backup-drill.service"), "utf8")).toContain(
    "ExecStart=/usr/local/bin/soar-backup-verify drill\n",
  );
  expect(readFileSync(join(UNITS, "soar-backup-verify.service"), "utf8")).toContain(
    "ExecStart=/usr/local/bin/soar-backup-verify\n",
  );
});

const TIMERS: readonly [string, string, readonly string[]][] = [
  ["soar-backup-verify.timer", "Mon *-*-* 03:00:00", ["Mon 2025-01-13 03:00:00 UTC", "Mon 2025-01-20 03:00:00 UTC"]],
  [
    "soar-backup-drill.timer",
    "Sun *-03,06,09,12-01..07 04:00:00",
    [
      "Sun 2025-03-02 04:00:00 UTC",
      "Sun 2025-06-01 04:00:00 UTC",
      "Sun 2025-09-07 04:00:00 UTC",
      "Sun 2025-12-07 04:00:00 UTC",
    ],
  ],
];

test.each(TIMERS)("%s has the calendar %s and makes up for what it missed", (name, calendar) => {
  const timer = readFileSync(join(UNITS, name), "utf8");
  expect(timer).toContain(`OnCalendar=${calendar}\n`);
  expect(timer).toContain("Persistent=true");
});

test.each(TIMERS)("%s runs when it should", requires("systemd"), (_name, calendar, times) => {
  const { stdout } = spawnSync(
    ANALYZE,
    ["calendar", "--base-time=2025-01-08 00:00:00 UTC", `--iterations=${times.length}`, calendar],
    { encoding: "utf8", env: { TZ: "UTC" } },
  );
  for (const time of times) expect(stdout).toContain(time);
});
