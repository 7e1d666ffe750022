import { defineCommand, formatDuration, formatSize, formatTable } from "@soar/app-kit";
import type { ArchiverStatus } from "@soar/archive";
import { askStatus } from "@soar/archive/client";
import { SoarError } from "@soar/errors";
import { spoolOptions } from "../options.ts";
import { socketPath } from "../socket-path.ts";

/** What the resident archiver knows. */
export const status = defineCommand({
  name: "status",
  summary: "Show what is archived, what is not, and what failed last.",
  description: "Asks the resident archiver. Unarchived bytes are committed WAL that the bucket does not hold: these, and their age, are what to alert on.",
  options: spoolOptions,
  examples: [{ command: "soar-wal-archive status --json", explanation: "for a program" }],
  logFile: "none",
  async run({ config, output }) {
    const path = socketPath(config);
    const answer = (await askStatus(path)) as ArchiverStatus | undefined;
    if (answer === undefined) {
      throw new SoarError("SERVER_UNREACHABLE", `unable to ask the resident archiver: nobody answers on '${path}'`, {
        hint: "Start it with soar-wal-archive daemon, and run this command as the same user. Without it, archive_command does the work itself.",
      });
    }
    output.report({ json: answer, text: () => describe(answer) });
  },
});

function describe(answer: ArchiverStatus): string {
  const seconds = (value: number): string => formatDuration(value * 1000);
  const rows: readonly (readonly [string, string])[] = [
    ["waiting", `${answer.queueDepth} files${answer.oldestPending === undefined ? "" : `, the first is ${answer.oldestPending}`}; ${answer.inFlight} in flight`],
    ["not in the bucket", `${formatSize(answer.unarchivedBytes)}, the oldest since ${seconds(answer.oldestUnarchivedSeconds)}`],
    ["server wrote up to", answer.flushLsn ?? "unknown"],
    ["in the bucket up to", `${answer.durableLsn ?? "unknown"} (whole segments up to ${answer.contiguousLsn ?? "unknown"}, timeline ${answer.timeline ?? "unknown"})`],
    ["last archived", answer.lastArchived === undefined ? "never" : `${answer.lastArchived.name}, ${answer.lastArchived.at}`],
    ["last failure", answer.lastFailure === undefined ? "none" : `${answer.lastFailure.at}: ${answer.lastFailure.message}`],
    ["since the beginning", `${answer.archivedTotal} files, ${answer.tailPiecesTotal} tail pieces, ${formatSize(answer.uploadedBytesTotal)}, ${answer.errorsTotal} failures`],
  ];
  return formatTable([{ header: "WAL" }, { header: "" }], rows.map(([name, value]) => [name, value]));
}
