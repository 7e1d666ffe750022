import { resolve } from "node:path";
import { defineCommand, formatDuration, formatSize } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { readRestoreStatus, type RestoreStatus } from "@soar/restore";

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
    const dataDir = resolve(config.dataDir);
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
  finish: "recovery is over and proved; the server gets its own settings",
} as const;

function statusText({ record, running, replayedLsn, segments, remainingMs }: RestoreStatus, dataDir: string): string {
  const lines = [
    ["data directory", dataDir],
    ["base backup", record.backup],
    ["target", `${record.target}, at ${record.stopLsn}`],
    ["phase", PHASES[record.phase]],
    [
      "fetched",
      record.phase === "fetch" ? `${formatSize(record.fetchedBytes)} of ${formatSize(record.totalBytes)}` : undefined,
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
    ["process", running ? String(record.processId) : "interrupted; give the same command again to go on"],
  ];
  return lines.flatMap(([name, text]) => (text === undefined ? [] : [`${`${name}:`.padEnd(16)}${text}`])).join("\n");
}

function statusAsJson(
  { record, running, replayedLsn, segments, remainingMs }: RestoreStatus,
  dataDir: string,
): unknown {
  const { phase, backup, target, stopLsn, timeline, startedAt, fetchedBytes, totalBytes, processId, replayedTime } =
    record;
  return {
    version: 1,
    dataDir,
    phase,
    running,
    processId,
    backup,
    target,
    stopLsn,
    timeline,
    startedAt,
    fetchedBytes,
    totalBytes,
    replayedLsn,
    replayedTime,
    segments,
    remainingMs,
  };
}
