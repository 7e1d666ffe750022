import { openOrdinaryIfPresent } from "@soar/durable-files/if-present";

/** One entry of the server's log in the form that `CAPTURE_SETTINGS` gives it. */
export interface LogEntry {
  /** Process that wrote it; undefined for what other programs print there, such as restore_command. */
  readonly pid: number | undefined;
  /** `LOG`, `FATAL`, `HINT`, ...; undefined for what other programs print. */
  readonly severity: string | undefined;
  readonly text: string;
}

/**
 * Makes a server write its log to its standard error, in English, at least from LOG on, and with a known prefix,
 * whatever its configuration says. What recovery did and why it died is told nowhere else.
 */
export const CAPTURE_SETTINGS = {
  logging_collector: "off",
  log_destination: "stderr",
  log_min_messages: "warning",
  log_error_verbosity: "default",
  log_line_prefix: "%m [%p] ",
  lc_messages: "C",
} as const;

const PREFIXED = /^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[(\d+)\] ([A-Z]+\d?): {1,2}(.*)$/;

export function parseLogLine(line: string): LogEntry {
  const [, pid, severity, text] = PREFIXED.exec(line) ?? [];
  return pid === undefined || severity === undefined || text === undefined
    ? { pid: undefined, severity: undefined, text: line }
    : { pid: Number(pid), severity, text };
}

const READ_BYTES = 256 * 1024;

/** Follows a log file from an offset on. Entries of several lines come as one. */
export class LogFollower {
  readonly #path: string;
  #offset: number;
  #rest = "";

  constructor(path: string, offset: number) {
    this.#path = path;
    this.#offset = offset;
  }

  /** Entries that were completed since the last call. A file that is not there yet has none. */
  async read(): Promise<LogEntry[]> {
    const text = this.#rest + (await this.#readNew());
    const end = text.lastIndexOf("\n");
    this.#rest = text.slice(end + 1);
    const entries: LogEntry[] = [];
    for (const line of text.slice(0, Math.max(end, 0)).split("\n")) {
      const previous = entries.at(-1);
      // A tab continues the entry above.
      if (line.startsWith("\t") && previous !== undefined)
        entries[entries.length - 1] = { ...previous, text: `${previous.text}\n${line.slice(1)}` };
      else if (line !== "") entries.push(parseLogLine(line));
    }
    return entries;
  }

  async #readNew(): Promise<string> {
    await using file = await openOrdinaryIfPresent(this.#path);
    if (file === undefined) return "";
    const parts: Buffer[] = [];
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, this.#offset);
      if (bytesRead === 0) return Buffer.concat(parts).toString("utf8");
      this.#offset += bytesRead;
      parts.push(buffer.subarray(0, bytesRead));
    }
  }
}

/** Refusals of client connections that every server gives while it starts or stops; they say nothing about its fate. */
const REFUSAL = /^the database system is |^terminating (?:connection|walreceiver|background worker)/;

/** What the startup process alone says, in English: at its beginning (StartupXLOG), for each file, and at the end of redo. */
const BY_STARTUP =
  /^(?:database system (?:was|shutdown was) |starting (?:archive|point-in-time|backup) |entering standby mode|restored log file |redo (?:starts|done) |consistent recovery state |recovery (?:stopping|has paused)|selected new timeline|archive recovery complete)/;

/** What the postmaster says of one that has ended (LogChildExit). */
const STARTUP_ENDED = /^startup process \(PID (\d+)\) /;

function isFatal({ severity }: LogEntry): boolean {
  return severity === "FATAL" || severity === "PANIC";
}

/** Who is who among those that wrote the log of a server. */
export interface ServerProcesses {
  readonly postmaster: number;
  /** Processes that recovered, one after the other where the server began anew; none where none has said so in English. */
  readonly startup: ReadonlySet<number>;
}

/** @param postmaster its process id */
export function serverProcesses(entries: readonly LogEntry[], postmaster: number): ServerProcesses {
  const startup = new Set<number>();
  for (const { pid, text } of entries) {
    const ended = pid === postmaster ? STARTUP_ENDED.exec(text)?.[1] : undefined;
    if (ended !== undefined) startup.add(Number(ended));
    if (pid !== undefined && pid !== postmaster && BY_STARTUP.test(text)) startup.add(pid);
  }
  return { postmaster, startup };
}

/**
 * The fatal entries that decide about the server itself: those of the postmaster and of the startup process, and panics, which end
 * it whoever has them. What ends a session with a client, such as a failed authentication, is fatal to nobody else. Where it is not
 * known who recovers, whoever it may be counts.
 */
export function decisiveEntries(
  entries: readonly LogEntry[],
  { postmaster, startup }: ServerProcesses,
): ReadonlySet<LogEntry> {
  return new Set(
    entries.filter((entry) => {
      const { pid, severity, text } = entry;
      if (!isFatal(entry) || REFUSAL.test(text)) return false;
      return severity === "PANIC" || pid === postmaster || startup.size === 0 || startup.has(Number(pid));
    }),
  );
}

/** The lines that tell why a server died: its fatal errors with their hints, and what restore_command printed last. */
export function fatalLines(entries: readonly LogEntry[], decisive: ReadonlySet<LogEntry>): string[] {
  const lines: string[] = [];
  let pid: number | undefined;
  for (const entry of entries) {
    const { pid: from, severity, text } = entry;
    if (decisive.has(entry)) {
      pid = from;
      lines.push(`${severity}: ${text}`);
    } else if ((severity === "HINT" || severity === "DETAIL") && from === pid && pid !== undefined)
      lines.push(`${severity}: ${text}`);
    else if (severity !== undefined) pid = undefined;
  }
  const foreign = entries.filter(({ severity }) => severity === undefined).map(({ text }) => text);
  return [...lines, ...foreign.slice(-5)];
}
