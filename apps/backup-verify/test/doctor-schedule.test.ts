import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const BIN = fileURLToPath(new URL("../bin/soar-backup-verify.js", import.meta.url));
const TIMERS = ["soar-backup-base", "soar-backup-verify", "soar-backup-drill"];
const ARCHIVER = "soar-wal-archive.service";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-schedule-"));
  for (const name of ["bin", "bucket"]) mkdirSync(join(directory, name));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** What `systemctl` says of a unit, and the status that it ends with. */
type Answers = Readonly<Record<string, readonly [text: string, status?: number]>>;

const lastRun = (name: string) => `show --property=Result,ExecMainStatus,ExecMainStartTimestamp ${name}.service`;

/** As systemd 252 answers for units that are installed, enabled, started and did not fail. */
const HEALTHY: Answers = {
  "is-system-running": ["running"],
  ...Object.fromEntries(
    TIMERS.flatMap((name) => [
      [`is-enabled ${name}.timer`, ["enabled"]],
      [`is-active ${name}.timer`, ["active"]],
      [lastRun(name), ["Result=success\nExecMainStatus=0\nExecMainStartTimestamp=Sun 2025-01-05 02:00:03 UTC"]],
    ]),
  ),
  [`is-active ${ARCHIVER}`]: ["active"],
};

function installSystemctl(answers: Answers): void {
  const cases = Object.entries(answers).map(
    ([question, [text, status = 0]]) => `'${question}') ${text === "" ? "" : `echo '${text}'; `}exit ${status};;`,
  );
  writeFileSync(
    join(directory, "bin", "systemctl"),
    `#!/bin/sh\ncase "$*" in\n${cases.join("\n")}\n*) echo "unexpected: $*" >&2; exit 99;;\nesac\n`,
    { mode: 0o755 },
  );
}

interface Seen {
  readonly kind: string;
  readonly severity: string;
  readonly what: string;
  readonly advice?: string;
}

/** The part about what runs by itself; there is no server and nothing in the bucket. */
function schedule(): Seen[] {
  const env = {
    PATH: `${join(directory, "bin")}:/usr/bin:/bin`,
    HOME: directory,
    BACKUP_BUCKET: `file://${join(directory, "bucket")}`,
    PGHOST: directory,
    BACKUP_SPOOL_DIR: directory,
    BACKUP_TEMP_DIR: directory,
  };
  const { stdout, stderr } = spawnSync(process.execPath, [BIN, "doctor", "--json", "--no-round-trip"], {
    encoding: "utf8",
    env,
  });
  if (stdout === "") throw new Error(stderr);
  return (JSON.parse(stdout) as { examinations: (Seen & { area: string })[] }).examinations.filter(
    ({ area }) => area === "schedule",
  );
}

const kinds = (): string[] => schedule().map(({ kind, severity }) => `${kind} ${severity}`);

test("units that run are well", () => {
  installSystemctl(HEALTHY);
  expect(kinds()).toEqual(["timer ok", "timer ok", "timer ok", "archiver-service ok"]);
});

test("a machine without systemd is told so, with what has to run there", () => {
  expect(schedule()).toMatchObject([
    { kind: "systemd-missing", severity: "notice", advice: expect.stringContaining("soar-wal-archive daemon") },
  ]);
  installSystemctl({ "is-system-running": ["offline", 1] });
  expect(kinds()).toEqual(["systemd-missing notice"]);
});

test.each([
  [
    "is disabled",
    { "is-enabled soar-backup-base.timer": ["disabled", 1] },
    /soar-backup-base\.timer is disabled: there are no weekly base backups/,
    /systemctl enable --now soar-backup-base\.timer/,
  ],
  [
    "is masked",
    { "is-enabled soar-backup-drill.timer": ["masked", 1] },
    /soar-backup-drill\.timer is masked: there are no quarterly restore drills/,
    /systemctl enable --now/,
  ],
  [
    "is not installed, as old systemd says it",
    { "is-enabled soar-backup-verify.timer": ["", 1] },
    /soar-backup-verify\.timer is not installed/,
    /\/etc\/systemd\/system/,
  ],
  [
    "is not installed, as new systemd says it",
    { "is-enabled soar-backup-verify.timer": ["not-found", 4] },
    /soar-backup-verify\.timer is not installed/,
    /\/etc\/systemd\/system/,
  ],
  [
    "was enabled and not started",
    { "is-active soar-backup-base.timer": ["inactive", 3] },
    /enabled, but inactive: there are no weekly base backups before the next start/,
    /systemctl enable --now/,
  ],
] as const)("a timer that %s is a warning, with the command that mends it", (_, answers, what, advice) => {
  installSystemctl({ ...HEALTHY, ...answers });
  const seen = schedule();
  expect(seen.map(({ kind, severity }) => `${kind} ${severity}`).toSorted()).toEqual([
    "archiver-service ok",
    "timer ok",
    "timer ok",
    "timer-off warning",
  ]);
  expect(seen.find(({ kind }) => kind === "timer-off")).toMatchObject({
    what: expect.stringMatching(what),
    advice: expect.stringMatching(advice),
  });
});

test("a run that failed is an error, with where its reason stands", () => {
  installSystemctl({
    ...HEALTHY,
    [lastRun("soar-backup-base")]: [
      "Result=exit-code\nExecMainStatus=30\nExecMainStartTimestamp=Sun 2025-01-05 02:00:03 UTC",
    ],
  });
  expect(schedule()).toContainEqual(
    expect.objectContaining({
      kind: "run-failed",
      severity: "error",
      what: "the last run of soar-backup-base.service ended with 'exit-code', status 30",
      advice: expect.stringContaining("journalctl -u soar-backup-base.service") as string,
    }),
  );
});

test("a run that did its work and has something to say is a warning, and one that never was is none that did not fail", () => {
  const ended = (status: number): Answers[string] => [
    `Result=exit-code\nExecMainStatus=${status}\nExecMainStartTimestamp=Sun 2025-01-05 02:00:03 UTC`,
  ];
  installSystemctl({
    ...HEALTHY,
    [lastRun("soar-backup-base")]: ended(71),
    [lastRun("soar-backup-verify")]: ended(6),
    [lastRun("soar-backup-drill")]: ["Result=success\nExecMainStatus=0\nExecMainStartTimestamp="],
  });
  const seen = schedule();
  expect(seen.filter(({ kind }) => kind === "run-noted").map(({ severity, what }) => `${severity}: ${what}`)).toEqual([
    "warning: the last run of soar-backup-base.service did its work and ended with 71: somebody should look",
    "warning: the last run of soar-backup-verify.service did its work and ended with 6: somebody should look",
  ]);
  expect(seen).toContainEqual(
    expect.objectContaining({
      kind: "timer",
      severity: "ok",
      what: "soar-backup-drill.timer is enabled and active, and it has not run since the machine was started",
    }),
  );
});

test("an archiver that does not run is a warning", () => {
  installSystemctl({ ...HEALTHY, [`is-active ${ARCHIVER}`]: ["failed", 3] });
  expect(schedule()).toContainEqual(
    expect.objectContaining({
      kind: "archiver-service",
      severity: "warning",
      what: expect.stringContaining(`${ARCHIVER} is failed`) as string,
    }),
  );
});
