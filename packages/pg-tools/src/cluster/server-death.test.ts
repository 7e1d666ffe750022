import { expect, test } from "vitest";
import { deathError, judgeDeath } from "./server-death.ts";
import { parseLogLine } from "./server-log.ts";

const POSTMASTER = 10;

function deathBy(...lines: readonly string[]): ReturnType<typeof judgeDeath> {
  const entries = lines.map((text) => parseLogLine(text.replace(/^\[/, "2025-01-10 14:00:00.123 UTC [")));
  return judgeDeath(entries, POSTMASTER);
}

test.each([
  ["[10] FATAL:  could not create shared memory segment: Cannot allocate memory", "SERVER_START_FAILED"],
  ['[10] FATAL:  lock file "postmaster.pid" already exists', "SERVER_START_FAILED"],
  ['[10] FATAL:  could not access file "timescaledb": No such file or directory', "SERVER_START_FAILED"],
  ['[11] FATAL:  could not open file "backup_label": Permission denied', "SERVER_START_FAILED"],
  ["[11] FATAL:  out of memory", "SERVER_START_FAILED"],
  ["[11] FATAL:  recovery ended before configured recovery target was reached", "RECOVERY_FAILED"],
  ["[11] FATAL:  WAL ends before end of online backup", "RECOVERY_FAILED"],
  ["[11] PANIC:  WAL contains references to invalid pages", "RECOVERY_FAILED"],
  ["[11] FATAL:  recovery aborted because of insufficient parameter settings", "RECOVERY_FAILED"],
  ['[11] PANIC:  could not write to file "pg_wal/xlogtemp.11": No space left on device', "RECOVERY_FAILED"],
])("by the one who says it and by what is said: %s is %s", (line, code) => {
  expect(deathBy("[10] LOG:  starting PostgreSQL 17.2", line).code).toBe(code);
  // A client that was refused meanwhile has ended nothing.
  expect(deathBy("[10] LOG:  starting", "[12] FATAL:  the database system is starting up", line).code).toBe(code);
});

test("a server that died without a word had begun recovery, or had not", () => {
  const server = { dataDir: "/data", logFile: "/log" };
  const early = deathBy("[10] LOG:  starting PostgreSQL 17.2", "setpriv: something");
  expect(deathError(early, server)).toMatchObject({
    code: "SERVER_START_FAILED",
    message: "unable to start the server of '/data': the server ended without saying why (killed?); setpriv: something",
  });
  expect(deathError(early, { ...server, how: "exit status 127" }).message).toBe(
    "unable to start the server of '/data': exit status 127; setpriv: something",
  );
  const late = deathBy("[10] LOG:  starting PostgreSQL 17.2", "[11] LOG:  database system was interrupted");
  expect(deathError(late, { ...server, how: "signal SIGKILL" })).toMatchObject({
    code: "RECOVERY_FAILED",
    message: "unable to recover '/data': the server ended without saying why (killed?)",
  });
});
