import type { Confirm } from "./confirm.ts";
import type { Log } from "../screen/log.ts";
import type { Config, OptionTable } from "./option-table.ts";
import type { Output } from "../screen/output.ts";
import type { Progress, ProgressOptions } from "../screen/progress.ts";

/** Arguments without a flag, in order. The key is the name in help (`path` prints as PATH) and in `positionals`. */
export type PositionalTable = Readonly<Record<string, PositionalRow>>;

export interface PositionalRow {
  readonly help: string;
  readonly optional?: true;
  /** All that are left; only for the last one. Together with `optional`: any number, also none. */
  readonly many?: true;
}

export type Positionals<P extends PositionalTable> = {
  readonly [K in keyof P]: P[K] extends { many: true }
    ? readonly string[]
    : string | (P[K] extends { optional: true } ? undefined : never);
};

/** What a command gets. It needs no environment, no argv and no `process.exit`: `runApp` owns those. */
export interface CommandContext<O extends OptionTable, P extends PositionalTable> {
  readonly config: Config<O>;
  readonly positionals: Positionals<P>;
  readonly log: Log;
  readonly output: Output;
  /** Aborted by the first SIGINT or SIGTERM; the reason is the `ABORTED` error to end with. */
  readonly signal: AbortSignal;
  /** Prints the plan and asks, as the CLI contract demands of everything destructive. */
  readonly confirm: Confirm;
  /** A live bar on a terminal, a log line every 30 s without one. Call `finish` on every path. */
  readonly startProgress: (options: ProgressOptions) => Progress;
  /** The env file that was read, for commands that let another program read it too; undefined when there was none. */
  readonly envFile: string | undefined;
  /** Directory of backup.log, where one is set. */
  readonly logDir: string | undefined;
  /** The command line, without the binary's name. */
  readonly argv: readonly string[];
  /** Runs another command line of this binary in this process, as if it had been typed. */
  readonly runCommand: (argv: readonly string[]) => Promise<void>;
  /** Name and version of the binary, for records and reports. */
  readonly app: { readonly name: string; readonly version: string };
}

export interface CommandDefinition<O extends OptionTable, P extends PositionalTable> {
  /** One or two words (`take`, `gap declare`); empty for a default command that is never named. */
  readonly name: string;
  /** Runs when no command is named. */
  readonly isDefault?: true;
  /** One line for the list of commands. */
  readonly summary: string;
  /** More for the command's own help; paragraphs are separated by an empty line. */
  readonly description?: string;
  readonly positionals?: P;
  readonly options: O;
  /** Command lines with what they do. */
  readonly examples?: readonly Example[];
  /**
   * What it means when the file in BACKUP_LOG_DIR cannot be opened at the start. `required` (the default): the run
   * fails before it touches anything. `optional`: a warning, because archiving and rescuing are worth more than their
   * log. `none`: the file is not written at all.
   */
  readonly logFile?: "required" | "optional" | "none";
  /** Another program takes exit status 0 for "the work is done": with all positionals given, nothing else is answered. */
  readonly isBelieved?: true;
  readonly run: (context: CommandContext<O, P>) => Promise<void> | void;
  /**
   * Tells those who are told of this command's failures that it could not begin, because of a setting or of its log file: nobody looks at
   * what a timer has not started. Of the configuration, what is wrong is missing. What it rejects with is logged only, because
   * the refusal is what the run ends with.
   */
  readonly tellRefused?: (context: Refused<O, P>, error: unknown) => Promise<void>;
}

/** A command that could not begin. */
export interface Refused<O extends OptionTable, P extends PositionalTable> extends Pick<
  CommandContext<O, P>,
  "config" | "positionals" | "log" | "argv"
> {}

export interface Example {
  readonly command: string;
  readonly explanation: string;
}

/** A command whose types have been checked; `runApp` treats them all alike. */
export type Command = CommandDefinition<OptionTable, PositionalTable>;

/** Checks a command's `run` against its own tables. */
export function defineCommand<
  const O extends OptionTable,
  const P extends PositionalTable = Readonly<Record<string, never>>,
>(definition: CommandDefinition<O, P>): Command {
  const { run, tellRefused, ...rest } = definition;
  // Sound because runApp builds the context from this very definition's tables.
  return {
    ...rest,
    run: (context) => run(context as unknown as CommandContext<O, P>),
    ...(tellRefused === undefined
      ? {}
      : { tellRefused: (context, error) => tellRefused(context as unknown as Refused<O, P>, error) }),
  };
}

/** One binary. */
export interface App {
  /** As it is typed: `soar-base-backup`. */
  readonly name: string;
  /** In log lines: `base-backup`. */
  readonly component: string;
  readonly version: string;
  /** One sentence for the head of `--help`. */
  readonly summary: string;
  readonly commands: readonly Command[];
  /** Whether these words are those by which another program asks for work whose status it believes, whatever stands beside them. */
  readonly isWork?: (argv: readonly string[]) => boolean;
  /**
   * Overrides the exit status of a failure; called for every one, also for wrong usage, a signal, a bug and an event
   * loop that ran empty. `command` is the name of the command as far as it could be told. The result is used when it
   * lies in 1..255, else 70.
   */
  readonly exitStatusFor?: (failure: Failure) => number;
  /**
   * Called with the status, for whoever waits for this process, when it has said everything and may nevertheless not end: a thread
   * of it is inside a file system that does not answer, where not even SIGKILL reaches it.
   */
  readonly whenStuck?: (status: number) => void;
  /** A shell started this process, so that there is one which can say its status in its place: it ends sooner. */
  readonly endsByShell?: boolean;
}

export interface Failure {
  readonly error: unknown;
  readonly command: string | undefined;
  /** What the table of errors says. */
  readonly status: number;
}
