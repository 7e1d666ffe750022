import { defineCommand } from "@soar/app-kit";
import { estimateTailCost, type ArchiverStatus } from "@soar/archive/status";
import { askStatus } from "@soar/archive/client";
import { SoarError } from "@soar/errors";
import { statusOptions } from "../options.ts";
import { socketPath } from "../socket-path.ts";
import { describeStatus } from "./describe-status.ts";
import { readWithoutArchiver } from "./without-archiver.ts";

const WIDEST = 80;

/** What is archived and what is not. */
export const status = defineCommand({
  name: "status",
  summary: "Show what is archived, what is not, what failed last, and what it costs.",
  description:
    "Asks the resident archiver; without one it looks at archive_status, the bucket and the server itself, and says so. Unarchived bytes are committed WAL that the bucket does not hold: these, and their age, are what to alert on. Prices are upper bounds from published lists with their date.",
  options: statusOptions,
  examples: [{ command: "soar-wal-archive status --json", explanation: "for a program" }],
  logFile: "none",
  async run({ config, log, output, signal, envFile }) {
    const path = socketPath(config);
    const answer = (await askStatus(path, {
      onDoubt: (doubt) => log.warn(`the resident archiver is not asked: ${doubt}`),
    })) as ArchiverStatus | undefined;
    if (answer === undefined && config.dataDir === undefined) {
      throw new SoarError("SERVER_UNREACHABLE", `unable to ask the resident archiver: nobody answers on '${path}'`, {
        hint: "Start it with soar-wal-archive daemon, and run this command as the same user. Or name the data directory (--data-dir, PGDATA), and the status is read from there.",
      });
    }
    const known = answer ?? (await readWithoutArchiver(config.dataDir ?? "", { config, log, signal, envFile }));
    output.report({
      json: { ...known, price: estimateTailCost(known) },
      text: () => describeStatus(known, Math.min(WIDEST, output.width)),
    });
  },
});
