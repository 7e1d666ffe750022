import { hasErrorCode, registerSecret, SoarError } from "@soar/errors";
import { hideMemory } from "@soar/programs";
import { baseOptions } from "../options/base-options.ts";
import type { App, Command, CommandContext, PositionalTable } from "../options/command.ts";
import { confirm } from "../options/confirm.ts";
import { DEFAULT_ENV_FILE, readEnvFile, type EnvFile } from "../options/env-file.ts";
import { abandonThreads, exitProcess } from "./exit-process.ts";
import { withSignal } from "./failure-report.ts";
import type { Config, OptionTable } from "../options/option-table.ts";
import { createOutput, type Output } from "../screen/output.ts";
import { optionsOf, parseArguments } from "../options/parse-flags.ts";
import { bindPositionals } from "../options/positionals.ts";
import { guardProcess } from "./process-guard.ts";
import { startProgress } from "../screen/progress.ts";
import { misspelt } from "../options/misspelt.ts";
import { requireNoProblems, resolveConfig, type Flags, type ResolvedConfig } from "../options/resolve-config.ts";
import { requireWork } from "../options/require-work.ts";
import { selectCommand, unknownCommand, type SelectedCommand } from "../options/select-command.ts";
import { createSession, type Session } from "./session.ts";

/**
 * Runs a binary from its arguments to its exit status, and ends the process. It alone reads argv and the environment,
 * handles signals and calls `process.exit`; commands get values, a signal, and places to print to.
 *
 * Exit statuses: 0; that of the table for a `SoarError`; 70 for anything else that was thrown, for an uncaught exception
 * or rejection, and for an event loop that ran empty; 4 after a signal; each as `exitStatusFor` changes it.
 */
export async function runApp(app: App): Promise<never> {
  const argv = process.argv.slice(2);
  const session = createSession(app, argv);
  // Holds for whatever ends the process without coming through here.
  process.exitCode = session.statusOf(new Error("unfinished"));
  const guard = guardProcess(app, {
    onFirstSignal: () => session.log.warn("stopping; a second signal ends the program at once"),
    die(error) {
      // A signal that means at once: nothing is waited for any more.
      if (hasErrorCode(error, "ABORTED")) abandonThreads();
      return exitProcess(session.fail(error), app);
    },
  });
  let status = 0;
  try {
    await Promise.race([execute(app, argv, { session, signal: guard.signal }), guard.crashed]);
    await flush(process.stdout);
    const outputError = guard.outputError();
    if (outputError !== undefined) {
      throw new SoarError("FILE_UNWRITABLE", `unable to write the output: ${outputError.message}`, {
        hint: "Check where stdout goes to.",
        cause: outputError,
      });
    }
  } catch (error) {
    status = session.fail(withSignal(error, guard.signal));
  }
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  exitProcess(status, app);
}

interface Run {
  readonly session: Session;
  readonly signal: AbortSignal;
}

async function execute(app: App, argv: readonly string[], run: Run): Promise<void> {
  const plain = createOutput(process.stdout, { isJson: false });
  const selected = selectCommand(app, argv);
  requireWork(app, argv, selected);
  if (await answerWithoutRunning(app, argv, { plain, selected })) return;
  if (selected === undefined) throw unknownCommand(app, argv);
  const { command } = selected;
  const { flags, words } = await parseArguments(app, command, selected.args);
  if (command.isDefault === true && command.positionals === undefined && words.length > 0)
    throw unknownCommand(app, argv);
  const positionals = flags["print-config"] === true ? {} : bindPositionals(app, command, words);
  const table = optionsOf(command);
  const envFile = openEnvFile(flags);
  const resolved = resolveConfig(table, { flags, environment: process.env, envFile });
  registerSecrets(table, resolved);
  const base = resolved.values as unknown as Config<typeof baseOptions>;
  const output = createOutput(process.stdout, { isJson: base.json });
  if (base.printConfig) {
    await printConfig(output, { table, resolved, envFile });
    return;
  }
  const config = resolved.values;
  hideMemory();
  const log = await orTell(command, { config, positionals, argv, log: run.session.log }, async () => {
    requireNoProblems(resolved.problems);
    passOn(table, envFile);
    return await run.session.configureLog({
      level: base.logLevel,
      format: base.logFormat,
      directory: base.logDir,
      file: command.logFile ?? "required",
    });
  });
  for (const { description } of misspelt(table, envFile)) log.warn(`a variable has no effect. ${description.trim()}`);
  await command.run(
    contextOf(
      app,
      {
        config,
        positionals,
        log,
        output,
        envFile: envFile?.path,
        logDir: base.logDir,
        argv,
      },
      run,
    ),
  );
}

/** What a command needs to begin. When it is not there, whoever waits for the command is told before the run ends with that. */
async function orTell<T>(
  command: Command,
  refused: Pick<Prepared, "config" | "positionals" | "argv" | "log">,
  prepare: () => Promise<T>,
): Promise<T> {
  try {
    return await prepare();
  } catch (error) {
    const positionals = refused.positionals as CommandContext<OptionTable, PositionalTable>["positionals"];
    try {
      await command.tellRefused?.({ ...refused, positionals }, error);
    } catch (failure) {
      if (!(failure instanceof SoarError)) throw failure;
      refused.log.error(`not everybody was told that the command did not begin: ${failure.message}`);
    }
    throw error;
  }
}

/**
 * `--help`, `--version` and completion work without a configuration, also with a broken one; so does `--describe`, which
 * the generator of the documentation asks.
 */
async function answerWithoutRunning(
  app: App,
  argv: readonly string[],
  to: { plain: Output; selected: SelectedCommand | undefined },
): Promise<boolean> {
  const options = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv;
  // The second is what yargs' completion scripts call the binary with.
  if (argv[0] === "completion" || argv.includes("--get-yargs-completions")) {
    const { runCompletion } = await import("../options/completion.ts");
    await runCompletion(app, argv);
    return true;
  }
  if (options.includes("--version")) {
    to.plain.print(`${app.name} ${app.version}`);
    return true;
  }
  if (options[0] === "--describe") {
    const { describeApp } = await import("../options/describe-app.ts");
    createOutput(process.stdout, { isJson: true }).report({ json: describeApp(app), text: () => "" });
    return true;
  }
  if (options.includes("--help") || options.includes("-h") || options[0] === "help") {
    const { formatHelp } = await import("../options/help.ts");
    to.plain.print(formatHelp(app, to.selected?.command));
    return true;
  }
  return false;
}

function openEnvFile(flags: Flags): EnvFile | undefined {
  const named = flags["env-file"] ?? (process.env["BACKUP_ENV_FILE"] || undefined);
  return readEnvFile(typeof named === "string" ? named : DEFAULT_ENV_FILE, { isNamed: named !== undefined });
}

function registerSecrets(table: OptionTable, resolved: ResolvedConfig): void {
  for (const [name, row] of Object.entries(table))
    if (row.secret === true) registerSecret(resolved.origins.get(name)?.text);
}

/**
 * What is in the env file for the AWS SDK's credential chain and for libpq, and has no option of ours, goes into the
 * environment, where these look for it, as if the file had been sourced. Nothing else does, and nothing from a file of
 * another user: postgres must not choose variables for a program that root runs.
 */
function passOn(table: OptionTable, envFile: EnvFile | undefined): void {
  if (envFile?.isOwn !== true) return;
  const known = new Set(Object.values(table).map(({ env }) => env));
  for (const [name, { value }] of envFile.entries) {
    const isWanted = /^(?:AWS_|PG)/.test(name) && !/SECRET|PASSWORD|SESSION_TOKEN|ACCESS_KEY/.test(name);
    if (isWanted && !known.has(name)) process.env[name] ??= value;
  }
}

async function printConfig(
  output: Output,
  { table, resolved, envFile }: { table: OptionTable; resolved: ResolvedConfig; envFile: EnvFile | undefined },
): Promise<void> {
  const { formatSettings, printedSettings, unreadVariables } = await import("../options/print-config.ts");
  const settings = printedSettings(table, resolved);
  const unread = unreadVariables(table, envFile);
  output.report({
    json: { settings, unreadVariables: unread },
    text: () =>
      [
        formatSettings(settings, output),
        ...(unread.length === 0 ? [] : [`Not read by this command: ${unread.join(", ")}`]),
      ].join("\n"),
  });
  requireNoProblems(resolved.problems);
}

interface Prepared {
  readonly config: Config<OptionTable>;
  readonly positionals: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly log: Session["log"];
  readonly output: Output;
  readonly envFile: string | undefined;
  readonly logDir: string | undefined;
  readonly argv: readonly string[];
}

function contextOf(app: App, prepared: Prepared, run: Run): CommandContext<OptionTable, PositionalTable> {
  const {
    signal,
    session: { screen },
  } = run;
  return {
    ...prepared,
    positionals: prepared.positionals as CommandContext<OptionTable, PositionalTable>["positionals"],
    signal,
    confirm: (options) => confirm(options, { input: process.stdin, screen, signal }),
    startProgress: (options) => startProgress(options, { screen, log: prepared.log }),
    runCommand: (argv) => execute(app, argv, run),
    app: { name: app.name, version: app.version },
  };
}

/** Resolves when everything written so far has left the process, or can no longer leave it. */
function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    else stream.write("", () => resolve());
  });
}
