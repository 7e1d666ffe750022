import { exitStatusOf, messageOf } from "@soar/errors";
import type { App } from "../options/command.ts";
import { reportOf, stackOf } from "./failure-report.ts";
import { createLog, formatLogLine, type Log, type LogFormat, type LogLevel } from "../screen/log.ts";
import { type LogFile, openLogFile } from "../screen/log-file.ts";
import { createScreen, type Screen } from "../screen/screen.ts";
import { visibleJson, visibleParagraph, visibleText } from "../screen/visible.ts";
import { selectCommand } from "../options/select-command.ts";

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly directory: string | undefined;
  readonly file: "required" | "optional" | "none";
}

/** What one run of a binary prints, logs and ends with. */
export interface Session {
  readonly screen: Screen;
  /** Starts logging as configured; before it, lines go to stderr in text form. Rejects with `FILE_UNWRITABLE` for a required log file. */
  configureLog(settings: LogSettings): Promise<Log>;
  readonly log: Log;
  /** The exit status of a failure, 1..255. */
  statusOf(error: unknown): number;
  /** Prints and logs a failure, and returns its exit status. */
  fail(error: unknown): number;
}

export function createSession(app: App, argv: readonly string[]): Session {
  const screen = createScreen(process.stderr);
  let settings: LogSettings = { level: "info", format: "text", directory: undefined, file: "none" };
  let appendToFile: ((line: string) => void) | undefined;
  let log = createLog({ component: app.component, level: "info", format: "text", sinks: [screen.writeLine] });

  const session: Session = {
    screen,
    get log() {
      return log;
    },
    async configureLog(wanted) {
      settings = wanted;
      const toStderr = {
        component: app.component,
        level: wanted.level,
        format: wanted.format,
        sinks: [screen.writeLine],
      };
      log = createLog(toStderr);
      appendToFile = await fileSink(wanted, log);
      if (appendToFile !== undefined) log = createLog({ ...toStderr, sinks: [screen.writeLine, appendToFile] });
      return log;
    },
    statusOf: (error) => statusOf(app, argv, error),
    fail(error) {
      printFailure(error, { app, screen, format: settings.format, appendToFile });
      if (settings.level === "debug" && error instanceof Error)
        for (const line of stackOf(error).split("\n")) log.debug(line);
      return session.statusOf(error);
    },
  };
  return session;
}

function statusOf(app: App, argv: readonly string[], error: unknown): number {
  const status = exitStatusOf(error);
  const command = selectCommand(app, argv)?.command.name;
  const chosen = app.exitStatusFor?.({ error, command, status }) ?? status;
  return Number.isInteger(chosen) && chosen >= 1 && chosen <= 255 ? chosen : exitStatusOf(undefined);
}

/** A log that can no longer be written is told once on stderr and never ends a backup or a restore. */
async function fileSink(settings: LogSettings, log: Log): Promise<((line: string) => void) | undefined> {
  if (settings.directory === undefined || settings.file === "none") return undefined;
  let file: LogFile;
  try {
    file = await openLogFile(settings.directory);
  } catch (error) {
    if (settings.file === "required" || !(error instanceof Error)) throw error;
    log.warn(`${error.message}; going on without it`);
    return undefined;
  }
  let hasFailed = false;
  return (line) => {
    try {
      file.append(line);
    } catch (error) {
      if (!hasFailed)
        log.warn(`unable to write to the log file '${file.path}': ${messageOf(error)}; going on without it`);
      hasFailed = true;
    }
  };
}

interface FailureTarget {
  readonly app: App;
  readonly screen: Screen;
  readonly format: LogFormat;
  readonly appendToFile: ((line: string) => void) | undefined;
}

function printFailure(error: unknown, { app, screen, format, appendToFile }: FailureTarget): void {
  const { code, message, hint, details } = reportOf(error, app);
  screen.setStatus(undefined);
  const time = new Date();
  const json = visibleJson(
    JSON.stringify({
      time: time.toISOString(),
      level: "error",
      component: app.component,
      message,
      code,
      hint,
      details,
    }),
  );
  const spoken = [
    message,
    ...(hint === undefined ? [] : [`(${hint})`]),
    `[${code}]`,
    ...(details === undefined ? [] : [details]),
  ].join(" ");
  appendToFile?.(
    format === "json"
      ? json
      : formatLogLine({ component: app.component, format }, { time, level: "error", message: spoken }),
  );
  if (format === "json") {
    screen.writeLine(json);
    return;
  }
  if (details !== undefined) screen.writeLine(visibleText(details));
  screen.writeLine(`${screen.style("red", "error:")} ${visibleParagraph(message)}`);
  if (hint !== undefined) screen.writeLine(`${screen.style("bold", "hint:")} ${visibleParagraph(hint)}`);
}
