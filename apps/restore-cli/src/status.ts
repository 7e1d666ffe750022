import { resolve } from "node:path";
import { defineCommand, formatDuration, formatSize } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { readRestoreStatus, realDataDirectory, type RestoreStatus } from "@soar/restore";

export const restoreStatus = defineCommand({
  name: "status",
  summary: "Show a running restore from another terminal. Looks only.",
  options: {
    "data-dir": {
      env: "PGDATA",
      type: "string",
      required: true,
      group: "Restore",
      placeholder: "DIR",
      help: "Data directory that is being restored.",
    },
  },
  examples: [
    {
      command: "soar-restore status --data-dir /var/lib/postgresql/15/main",
      explanation: "phase, how far recovery has got, and how long it will take",
    },
  ],
  logFile: "none",
  async run({ config, output }) {
    const dataDir = await realDataDirectory(resolve(config.dataDir));
    const found = await readRestoreStatus(dataDir);
    if (found === undefined)
      throw new SoarError("FILE_UNREADABLE", `no restore is in progress in '${dataDir}'`, {
        hint: "Name the directory that is being restored with --data-dir.",
      });
    output.report({ json: statusAsJson(found, dataDir), text: () => statusText(found, dataDir) });
  },
});

const PHASES = {
  fetch: "fetching the backup",
  recover: "replaying WAL",
  "at-target": "done: recovery ended at the target",
  finish: "recovery is over and proved; the server gets its own settings",
  opened: "the server was opened; WAL of this machine may be left to store",
} as const;

const AT_TARGET = {
  paused: "pauses; after pg_wal_replay_resume() give the command again",
  "shut-down": "is down; the same with --target-action promote opens it",
  "gone-on": "has left recovery; the same command finishes the restore",
} as const;

function statusText(status: RestoreStatus, dataDir: string): string {
  const { record, running, replayedLsn, segments, remainingMs, atTarget } = status;
  const lines = [
    ["data directory", dataDir],
    ["base backup", record.backup],
    ["target", `${record.target}, at ${record.stopLsn}`],
    ["phase", PHASES[record.phase]],
    ["fetched", record.phase === "fetch" ? fetchedText(record) : undefined],
    ["server", atTarget === undefined ? undefined : AT_TARGET[atTarget]],
    [
      "paused",
      atTarget === "paused" && record.pausedAt !== undefined
        ? `since ${record.pausedAt}: it takes no writes until it is let go on`
        : undefined,
    ],
    [
      "replayed",
      replayedLsn === undefined
        ? undefined
        : `to ${replayedLsn} at least, ${segments?.replayed ?? 0} of ${segments?.total ?? 0} segments`,
    ],
    [
      "last commit",
      record.replayedTime === undefined ? undefined : `${record.replayedTime}, as far as it was looked for`,
    ],
    ["remaining", remainingMs === undefined ? undefined : `about ${formatDuration(remainingMs)}`],
    [
      "process",
      running
        ? String(record.processId)
        : atTarget === undefined
          ? "interrupted; give the same command again to go on"
          : "none: the restore has done what it was asked",
    ],
  ];
  return lines.flatMap(([name, text]) => (text === undefined ? [] : [`${`${name}:`.padEnd(16)}${text}`])).join("\n");
}

function fetchedText({ fetchedBytes, sparedBytes, totalBytes }: RestoreStatus["record"]): string {
  const spared = sparedBytes === 0 ? "" : `, and ${formatSize(sparedBytes)} that were there already,`;
  return `${formatSize(fetchedBytes)}${spared} of ${formatSize(totalBytes)}`;
}

function statusAsJson(
  { record, running, replayedLsn, segments, remainingMs, atTarget }: RestoreStatus,
  dataDir: string,
): unknown {
  const { phase, backup, target, action, stopLsn, timeline, startedAt, processId, replayedTime } = record;
  const { fetchedBytes, sparedBytes, totalBytes } = record;
  return {
    version: 1,
    dataDir,
    phase,
    running,
    server: atTarget,
    pausedAt: atTarget === "paused" ? record.pausedAt : undefined,
    processId,
    backup,
    target,
    targetAction: action,
    stopLsn,
    timeline,
    startedAt,
    fetchedBytes,
    sparedBytes,
    totalBytes,
    replayedLsn,
    replayedTime,
    segments,
    remainingMs,
  };
}
