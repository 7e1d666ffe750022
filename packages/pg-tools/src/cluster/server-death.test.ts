import { expect, test } from "vitest";
import { deathError, judgeDeath } from "./server-death.ts";
import { parseLogLine } from "./server-log.ts";

const POSTMASTER = 10;

function entriesOf(lines: readonly string[]): ReturnType<typeof parseLogLine>[] {
  return lines.map((text) => parseLogLine(text.replace(/^\[/, "2025-01-10 14:00:00.123 UTC [")));
}

function deathBy(...lines: readonly string[]): ReturnType<typeof judgeDeath> {
  return judgeDeath(entriesOf(lines), { pid: POSTMASTER });
}

/** Of a server that was started as every day. */
function ownDeathBy(...lines: readonly string[]): ReturnType<typeof judgeDeath> {
  return judgeDeath(entriesOf(lines), { pid: POSTMASTER, inOwnRight: true });
}

test.each([
  ["[10] FATAL:  could not create shared memory segment: Cannot allocate memory", "SERVER_START_FAILED"],
  ['[10] FATAL:  lock file "postmaster.pid" already exists', "SERVER_START_FAILED"],
  ['[10] FATAL:  could not access file "timescaledb": No such file or directory', "SERVER_START_FAILED"],
  ['[11] FATAL:  could not open file "backup_label": Permission denied', "SERVER_START_FAILED"],
  ["[11] FATAL:  out of memory", "SERVER_START_FAILED"],
  ["[11] FATAL:  must specify restore_command when standby mode is not enabled", "SERVER_START_FAILED"],
  // PostgreSQL 19 quotes names of settings.
  ['[11] FATAL:  must specify "restore_command" when standby mode is not enabled', "SERVER_START_FAILED"],
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

const CLIENTS = [
  'Peer authentication failed for user "app"',
  'Ident authentication failed for user "app"',
  "canceling authentication due to timeout",
  'certificate authentication failed for user "app"',
  "sorry, too many clients already",
  "remaining connection slots are reserved for roles with the SUPERUSER attribute",
  'role "app" does not exist',
];

test.each(CLIENTS)("what ends a session with a client ends no server: %s", (text) => {
  const startup = "[11] LOG:  database system was interrupted; last known up at 2025-01-10";
  const client = `[12] FATAL:  ${text}`;
  const memory = "[10] FATAL:  could not create shared memory segment";
  expect(deathBy(startup, client, memory)).toEqual({
    code: "SERVER_START_FAILED",
    lines: ["FATAL: could not create shared memory segment"],
  });
  // Whoever has read its later lines only knows it by what the postmaster says of it.
  const [target, ended] = ["[11] FATAL:  recovery ended before", "[10] LOG:  startup process (PID 11) exited with 1"];
  for (const lines of [
    [startup, client, target],
    [client, target, ended],
  ])
    expect(deathBy(...lines)).toEqual({ code: "RECOVERY_FAILED", lines: ["FATAL: recovery ended before"] });
});

test.each([
  ["[11] LOG:  database system was shut down at 2025-01-10 14:00:00 UTC", "SERVER_START_FAILED"],
  ["[11] LOG:  Datenbanksystem wurde am 2025-01-10 14:00:00 UTC heruntergefahren", "SERVER_START_FAILED"],
  ["[12] FATAL:  Peer-Authentifizierung für Benutzer »app« fehlgeschlagen", "SERVER_START_FAILED"],
  ["a log in a form of its own", "SERVER_START_FAILED"],
  ["[10] FATAL:  could not create any TCP/IP sockets", "SERVER_START_FAILED"],
])("a server in its own right that was ended had nothing to recover: %s", (line, code) => {
  expect(ownDeathBy("[10] LOG:  starting PostgreSQL 17.2", line).code).toBe(code);
  const damaged = [
    "[11] LOG:  database system was interrupted; last known up at 2025-01-10",
    "[11] PANIC:  could not locate a valid checkpoint record",
  ];
  expect(ownDeathBy(...damaged, line).code).toBe("RECOVERY_FAILED");
});
