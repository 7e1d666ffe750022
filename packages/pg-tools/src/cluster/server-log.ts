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
const REFUSAL =
  /^the database system is |^terminating (?:connection|walreceiver|background worker)|^(?:no pg_hba\.conf entry|password authentication failed|role "|database "|sorry, too many)/;

export function isFatal({ severity }: LogEntry): boolean {
  return severity === "FATAL" || severity === "PANIC";
}

export function isRefusal({ text }: LogEntry): boolean {
  return REFUSAL.test(text);
}

/** The lines that tell why a server died: its fatal errors with their hints, and what restore_command printed last. */
export function fatalLines(entries: readonly LogEntry[]): string[] {
  const lines: string[] = [];
  let pid: number | undefined;
  for (const entry of entries) {
    const { pid: from, severity, text } = entry;
    if (isFatal(entry) && !isRefusal(entry)) {
      pid = from;
      lines.push(`${severity}: ${text}`);
    } else if ((severity === "HINT" || severity === "DETAIL") && from === pid && pid !== undefined)
      lines.push(`${severity}: ${text}`);
    else if (severity !== undefined) pid = undefined;
  }
  const foreign = entries.filter(({ severity }) => severity === undefined).map(({ text }) => text);
  return [...lines, ...foreign.slice(-5)];
}
