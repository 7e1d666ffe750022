import { favourLargeBuffers, runApp } from "@soar/app-kit";
import { hasErrorCode } from "@soar/errors";
import { ABSENT_STATUS } from "@soar/restore/wal";
import { isStandby } from "./asking-server.ts";
import { adopt } from "./adopt.ts";
import { database } from "./database.ts";
import { discardOld } from "./discard-old.ts";
import { forget } from "./forget.ts";
import { list } from "./list.ts";
import { plan } from "./plan.ts";
import { restore } from "./restore.ts";
import { restoreStatus } from "./status.ts";
import { table } from "./table.ts";
import { walFetch } from "./wal-fetch.ts";

favourLargeBuffers();
await runApp({
  name: "soar-restore",
  component: "restore",
  version: process.env["SOAR_APP_VERSION"] ?? "0.0.0",
  summary: "Point-in-time recovery: plans, proves, asks, fetches, replays, and tells what was reached.",
  commands: [restore, plan, list, database, table, restoreStatus, discardOld, forget, adopt, walFetch],
  isWork: asksForWal,
  exitStatusFor: ({ error, command, status }) => {
    if (command !== "wal-fetch" && !asksForWal(process.argv.slice(2))) return status;
    const isPlanned = process.argv.some((word) => word === "--plan" || word.startsWith("--plan="));
    // A standby asks again, whatever went wrong, and 126 would end it.
    if (!isPlanned && isStandby(process.argv.some((word) => /^--standby(?:=|$)/.test(word)))) return 1;
    if (!hasErrorCode(error, "WAL_END")) return 126;
    // The shell line of a restore maps its private status itself; else, 1 is what PostgreSQL understands.
    return isPlanned ? ABSENT_STATUS : 1;
  },
});

/** As PostgreSQL does, whatever stands beside it. */
function asksForWal(argv: readonly string[]): boolean {
  return argv.includes("wal-fetch") && argv.some((word) => /^[0-9A-F]{8}(?:[0-9A-F]{16}|\.history)/.test(word));
}
