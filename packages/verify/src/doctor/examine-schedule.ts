import { ERROR_CODES } from "@soar/errors";
import { runIfPresent } from "@soar/programs";
import type { Notes } from "./examination.ts";

export interface ScheduleOptions {
  /** Where systemctl is looked for. */
  readonly searchPath: string;
  readonly signal: AbortSignal | undefined;
}

const PATIENCE_MS = 10_000;

/** Unit, and what does not happen without it. */
const TIMERS: readonly (readonly [timer: string, purpose: string])[] = [
  ["soar-backup-base.timer", "weekly base backups"],
  ["soar-backup-verify.timer", "weekly verification"],
  ["soar-backup-drill.timer", "quarterly restore drills"],
];
const ARCHIVER = "soar-wal-archive.service";

/** Whether what should run by itself does: timers enabled, the last runs not failed. */
export async function examineSchedule(notes: Notes, options: ScheduleOptions): Promise<void> {
  if ((await ask(["is-system-running"], options)) === undefined)
    return notes.notice(
      "systemd-missing",
      "systemd does not run here: nothing is known of what runs by itself",
      "Have soar-base-backup run every week, soar-backup-verify too, and soar-wal-archive daemon all the time.",
    );
  for (const [timer, purpose] of TIMERS) await examineTimer(timer, purpose, { ...options, notes });
  const active = await ask(["is-active", ARCHIVER], options);
  if (active === "active") notes.ok("archiver-service", `${ARCHIVER} runs`);
  else
    notes.warning(
      "archiver-service",
      `${ARCHIVER} is ${active ?? "unknown"}: WAL leaves this machine only in whole segments`,
      `Run: systemctl enable --now ${ARCHIVER}`,
    );
}

async function examineTimer(
  timer: string,
  purpose: string,
  { notes, ...options }: ScheduleOptions & { readonly notes: Notes },
): Promise<void> {
  const enabled = await ask(["is-enabled", timer], options);
  const advice = `Run: systemctl enable --now ${timer}`;
  // Of a unit that it does not know, systemctl says nothing on its standard output, or `not-found` since version 253.
  if (enabled === undefined || enabled === "" || enabled === "not-found")
    return notes.warning(
      "timer-off",
      `${timer} is not installed: there are no ${purpose}`,
      `Copy it and its service from the package's systemd directory to /etc/systemd/system. ${advice}`,
    );
  if (enabled !== "enabled" && enabled !== "static")
    return notes.warning("timer-off", `${timer} is ${enabled}: there are no ${purpose}`, advice);
  const active = await ask(["is-active", timer], options);
  if (active !== "active")
    return notes.warning(
      "timer-off",
      `${timer} is enabled, but ${active ?? "not active"}: there are no ${purpose} before the next start of the machine`,
      advice,
    );
  const service = timer.replace(/timer$/, "service");
  const { result, status, begun } = lastRunOf(
    await ask(["show", "--property=Result,ExecMainStatus,ExecMainStartTimestamp", service], options),
  );
  const how = `See why: journalctl -u ${service} -n 100.`;
  if (result === "exit-code" && DONE_STATUSES.has(status))
    return notes.warning(
      "run-noted",
      `the last run of ${service} did its work and ended with ${status}: somebody should look`,
      how,
    );
  if (result !== undefined && result !== "success")
    return notes.error(
      "run-failed",
      `the last run of ${service} ended with '${result}'${status === 0 ? "" : `, status ${status}`}`,
      `${how} Then run it again: systemctl start ${service}`,
    );
  // systemd forgets what was before the machine started.
  notes.ok(
    "timer",
    `${timer} is ${enabled} and active, and ${begun ? "its last run did not fail" : "it has not run since the machine was started"}`,
  );
}

/** Nothing is lost, or the backup is there: with the statuses of docs/errors.md. */
const DONE_STATUSES = new Set<number>(
  (["FINDINGS_MINOR", "BACKUP_DAMAGED_PAGES", "BACKUP_UNEXPLAINED_CHANGE", "BACKUP_UNFOLLOWED"] as const).map(
    (code) => ERROR_CODES[code].exitStatus,
  ),
);

function lastRunOf(shown: string | undefined): {
  readonly result: string | undefined;
  readonly status: number;
  readonly begun: boolean;
} {
  const properties = new Map(
    (shown ?? "").split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  return {
    result: properties.get("Result") || undefined,
    status: Number(properties.get("ExecMainStatus") ?? 0),
    begun: (properties.get("ExecMainStartTimestamp") ?? "") !== "",
  };
}

/** What systemctl prints, whatever its status says; undefined when there is no systemd to ask. */
async function ask(args: readonly string[], { searchPath, signal }: ScheduleOptions): Promise<string | undefined> {
  const env = { PATH: searchPath, LC_ALL: "C" };
  const result = await runIfPresent("systemctl", args, { env, timeoutMs: PATIENCE_MS, signal });
  const text = result?.stdout.trim();
  return text === "offline" || (text === "" && args[0] === "is-system-running") ? undefined : text;
}
