import { ageAt } from "@soar/repository/time";
import type { Finding } from "../finding.ts";
import type { Survey } from "../survey/survey-repository.ts";

/** When age becomes a finding, in milliseconds. */
export interface AgeLimits {
  readonly backupWarningMs: number;
  readonly backupErrorMs: number;
  /** Undefined: an archive may be as old as it likes, as that of a server that is idle for days. */
  readonly archiveWarningMs: number | undefined;
}

const DAY_MS = 86_400_000;

/** Of weekly backups one may be late by a day, and never by three. */
export const DEFAULT_AGE_LIMITS: AgeLimits = {
  backupWarningMs: 8 * DAY_MS,
  backupErrorMs: 10 * DAY_MS,
  archiveWarningMs: DAY_MS,
};

export interface Ages {
  /** End of the newest complete backup, and of what was stored last below `wal/` or `tail/`. */
  readonly newestBackupAt: Date | undefined;
  readonly lastArchivedAt: Date | undefined;
}

export function agesOf({ backups, objects }: Survey): Ages {
  let last = 0;
  for (const { key, modifiedAt } of objects)
    if (/^(?:wal|tail)\//.test(key)) last = Math.max(last, modifiedAt.getTime());
  return {
    newestBackupAt: backups.at(-1)?.endedAt,
    lastArchivedAt: last === 0 ? undefined : new Date(last),
  };
}

export function checkAges({ newestBackupAt, lastArchivedAt }: Ages, limits: AgeLimits, now: Date): Finding[] {
  if (newestBackupAt === undefined) {
    return [
      {
        kind: "no-backup",
        severity: "error",
        where: "base/",
        what: "there is no complete backup",
        advice: "Take one now: soar-base-backup.",
      },
    ];
  }
  const age = ageAt(now, newestBackupAt);
  const idle = lastArchivedAt === undefined ? Infinity : ageAt(now, lastArchivedAt);
  if (age < 0 || idle < 0) return [clockContradicted(age < 0 ? newestBackupAt : (lastArchivedAt ?? now), now)];
  const findings: Finding[] = [];
  if (age > limits.backupWarningMs) {
    findings.push({
      kind: "backup-old",
      severity: age > limits.backupErrorMs ? "error" : "warning",
      where: "base/",
      what: `the newest backup is ${inDays(age)} old`,
      advice:
        "Take one now (soar-base-backup), and look why the timer did not: systemctl list-timers 'soar-*', journalctl -u soar-backup-base.",
    });
  }
  if (limits.archiveWarningMs !== undefined && idle > limits.archiveWarningMs) {
    findings.push({
      kind: "archive-old",
      severity: "warning",
      where: "wal/",
      what: lastArchivedAt === undefined ? "no WAL was ever archived" : `no WAL has arrived for ${inDays(idle)}`,
      advice:
        "Either nothing was written to the server, or it does not archive: look with soar-wal-archive status, and into the server's log.",
    });
  }
  return findings;
}

/** No age can be told by such a clock, nor whether anything is late. */
function clockContradicted(stamp: Date, now: Date): Finding {
  return {
    kind: "clock-wrong",
    severity: "error",
    where: "clock",
    what: `this machine's clock says ${now.toISOString()}, and the bucket holds what was stored at ${stamp.toISOString()}, ${inDays(stamp.getTime() - now.getTime())} later`,
    advice:
      "Compare the clock of this machine, and of those that archive and back up, with another (timedatectl, or date -u). Nothing expires as long as they contradict each other.",
  };
}

/** The ages are those at the beginning, and what passed since. */
export function clockJumped(jump: string): Finding {
  return {
    kind: "clock-wrong",
    severity: "warning",
    where: "clock",
    what: jump,
    advice: "Look which of its times is right (timedatectl, or date -u), and verify again: ages may be wrong.",
  };
}

function inDays(ms: number): string {
  return `${(ms / DAY_MS).toFixed(1)} days`;
}
