import { constants } from "node:os";
import { formatDuration } from "@soar/app-kit";
import { postgresInstallations, type PostgresInstallation } from "@soar-tooling/postgres-clusters";
import { ProgramFailure } from "@soar-tooling/test-bench";
import { OptionProblem, readDemoOptions } from "./demo-options.ts";
import { requireRoom, RoomProblem } from "./disk.ts";
import { runDemo } from "./run-demo.ts";
import { createStory } from "./story.ts";

/** What ended the demo from outside. */
class Interruption extends Error {
  override readonly name = "Interruption";
  readonly signal: "SIGINT" | "SIGTERM" | "SIGHUP";

  constructor(signal: Interruption["signal"]) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
  }
}

/** The newest that is installed, else the newest from npm. */
function chooseInstallation(): PostgresInstallation {
  const all = postgresInstallations();
  const chosen = all.findLast(({ embedded }) => !embedded) ?? all.at(-1);
  if (chosen === undefined)
    throw new Error("unable to find PostgreSQL 15 or newer: none is installed, and npm has none for this platform");
  return chosen;
}

function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => controller.abort(new Interruption(signal)));
  return controller.signal;
}

/** `npm run demo`; resolves to the exit status. */
async function main(): Promise<number> {
  const signal = abortOnSignals();
  const beganAt = performance.now();
  try {
    const options = readDemoOptions(process.env, process.argv.slice(2));
    await requireRoom(options.megabytes);
    process.stdout.write("PostgreSQL is lost, and comes back to the second before an accident.\n");
    const isProved = await runDemo({
      ...options,
      installation: chooseInstallation(),
      story: createStory(process.stdout),
      signal,
    });
    process.stdout.write(
      `\nEverything that this made is removed again. It took ${formatDuration(performance.now() - beganAt)}.\n`,
    );
    return isProved ? 0 : 1;
  } catch (error) {
    return report(signal.aborted ? signal.reason : error);
  }
}

function report(error: unknown): number {
  if (error instanceof Interruption) {
    process.stderr.write(`\n${error.message}: everything that this made is removed again\n`);
    return 128 + constants.signals[error.signal];
  }
  if (error instanceof ProgramFailure) process.stderr.write(`\nerror: ${error.message}`);
  else if (error instanceof RoomProblem)
    process.stderr.write(
      `error: ${error.message}\nhint: Name a directory with more room in TMPDIR, or ask for less data with SOAR_DEMO_MEGABYTES.\n`,
    );
  else if (error instanceof OptionProblem) process.stderr.write(`error: ${error.message}\n`);
  else process.stderr.write(`\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

process.exitCode = await main();
