import { redactSecrets } from "@soar/errors";
import { visibleJson, visibleLine } from "./visible.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = "text" | "json";

/** One line per outcome, none per step unless at `debug`. Secrets are removed from every line. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export interface LogOptions {
  /** Second word of a line, `wal-archiver`. */
  readonly component: string;
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where lines go, without their line end. */
  readonly sinks: readonly ((line: string) => void)[];
  readonly now?: () => Date;
}

/** Text lines look like `2026-01-10T02:00:00.123Z info  wal-archiver archived …`; JSON lines have time, level, component, message. */
export function createLog(options: LogOptions): Log {
  const { now = () => new Date() } = options;
  const write = (level: LogLevel, message: string): void => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(options.level)) return;
    const line = formatLogLine(options, { time: now(), level, message });
    for (const sink of options.sinks) sink(line);
  };
  return {
    debug: (message) => write("debug", message),
    info: (message) => write("info", message),
    warn: (message) => write("warn", message),
    error: (message) => write("error", message),
  };
}

export interface LogEntry {
  readonly time: Date;
  readonly level: LogLevel;
  readonly message: string;
}

export function formatLogLine(
  { component, format }: Pick<LogOptions, "component" | "format">,
  { time, level, message }: LogEntry,
): string {
  const safe = redactSecrets(message);
  if (format === "json")
    return visibleJson(JSON.stringify({ time: time.toISOString(), level, component, message: safe }));
  return `${time.toISOString()} ${level.padEnd(5)} ${component} ${visibleLine(safe)}`;
}
