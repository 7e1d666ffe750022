import { SoarError } from "@soar/errors";
import { decisiveEntries, fatalLines, type LogEntry, LogFollower, serverProcesses } from "./server-log.ts";

export interface ServerDeath {
  /** `RECOVERY_FAILED` for what recovery ended by, `SERVER_START_FAILED` for what keeps a server from running. */
  readonly code: "RECOVERY_FAILED" | "SERVER_START_FAILED";
  /** The fatal lines of the log with their hints, and what other programs printed last. */
  readonly lines: readonly string[];
}

/**
 * What a startup process, too, meets of its host, not of the data: permission and memory (`%m` of EACCES, EPERM and ENOMEM,
 * and palloc's own words), and validateRecoveryParameters() of xlogrecovery.c.
 */
const OF_THE_HOST =
  /: (?:Permission denied|Operation not permitted|Cannot allocate memory)$|^out of memory$|^must specify "?restore_command"? /m;

/** The server that has ended. */
interface WatchedServer {
  /** Of the postmaster. */
  readonly pid: number;
  /** Whether it was started as every day, with recovery behind it, and writes its log as its own settings say. */
  readonly inOwnRight?: boolean | undefined;
}

/**
 * Why a server has ended, by what it wrote from its start on: the same whenever its end was noticed. What the postmaster
 * calls fatal (port, lock file, configuration, shared memory) keeps a server from starting; what the startup process
 * does ends recovery, and nothing that a client met. Where nobody said anything, recovery had begun when another process had
 * written; but a server in its own right recovers nothing unless its startup process says so, in whatever language the others speak.
 */
export function judgeDeath(entries: readonly LogEntry[], { pid, inOwnRight = false }: WatchedServer): ServerDeath {
  const processes = serverProcesses(entries, pid);
  const decisive = decisiveEntries(entries, processes);
  const endsRecovery = (entry: LogEntry): boolean =>
    (inOwnRight ? processes.startup.has(Number(entry.pid)) : entry.pid !== pid) && !OF_THE_HOST.test(entry.text);
  const isOfRecovery =
    decisive.size === 0
      ? !inOwnRight && entries.some((entry) => entry.pid !== undefined && entry.pid !== pid)
      : [...decisive].some(endsRecovery);
  return { code: isOfRecovery ? "RECOVERY_FAILED" : "SERVER_START_FAILED", lines: fatalLines(entries, decisive) };
}

/** The same, read from the log of a server that was started at this offset of it. */
export async function readDeath(
  server: WatchedServer & { readonly logFile: string; readonly logOffset: number },
): Promise<ServerDeath> {
  return judgeDeath(await new LogFollower(server.logFile, server.logOffset).read(), server);
}

/** How a server has ended, for its error. */
export interface EndedServer {
  readonly dataDir: string;
  readonly logFile: string;
  /** Its status or signal, where it was our child. */
  readonly how?: string;
}

/** The failure of a server that has ended. */
export function deathError({ code, lines }: ServerDeath, { dataDir, logFile, how }: EndedServer): SoarError {
  const hint = `Read the server's log in '${logFile}'.`;
  const saysWhy = lines.some((line) => /^(?:FATAL|PANIC):/.test(line));
  const untold = saysWhy ? [] : ["the server ended without saying why (killed?)"];
  if (code === "RECOVERY_FAILED")
    return new SoarError(code, `unable to recover '${dataDir}': ${[...untold, ...lines].join("; ")}`, {
      hint: `${hint} The server is down; starting it again continues recovery.`,
    });
  const facts = how === undefined ? untold : [how];
  return new SoarError(code, `unable to start the server of '${dataDir}': ${[...facts, ...lines].join("; ")}`, {
    hint,
  });
}
