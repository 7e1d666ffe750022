import { asError } from "@soar/errors";
import type { App } from "../options/command.ts";
import { abortedBy } from "./failure-report.ts";

export interface ProcessGuard {
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** Rejects for an uncaught exception or rejection anywhere, and never resolves. */
  readonly crashed: Promise<never>;
  /** The error of writing to stdout, for example a full disk; a reader that went away is none. */
  outputError(): Error | undefined;
}

export interface GuardHooks {
  /** Called once, with the `ABORTED` error, when the first signal arrives. */
  readonly onFirstSignal: (error: Error) => void;
  /** Prints the error and ends the process; never returns. */
  readonly die: (error: unknown) => never;
}

/**
 * Takes hold of everything that ends a Node process behind the program's back. Without it a signal ends it with no exit
 * status at all, which PostgreSQL's archiver does not count as a failure (safety, trap 1), and an event loop that runs
 * empty while a promise is pending ends it with 13, or with 0: a success that never happened.
 */
export function guardProcess(app: Pick<App, "name">, hooks: GuardHooks): ProcessGuard {
  const controller = new AbortController();
  const { promise: crashed, reject } = Promise.withResolvers<never>();
  // Whoever races against it handles it; before that nobody does, and that must not count as a second crash.
  crashed.catch(() => undefined);
  let hasCrashed = false;
  const onCrash = (error: unknown): void => {
    // A second crash while the first is being reported: nothing is left to rely on.
    if (hasCrashed) hooks.die(error);
    hasCrashed = true;
    reject(asError(error));
  };
  process.on("uncaughtException", onCrash);
  process.on("unhandledRejection", onCrash);
  process.on("beforeExit", () => hooks.die(new Error("the event loop ran empty before the command had finished")));
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      const error = abortedBy(name, app);
      if (controller.signal.aborted) hooks.die(error);
      controller.abort(error);
      hooks.onFirstSignal(error);
    });
  }
  // PostgreSQL sends SIGQUIT to its whole process group at an immediate shutdown: go at once, but with a status.
  process.on("SIGQUIT", () => hooks.die(abortedBy("SIGQUIT", app)));
  return { signal: controller.signal, crashed, outputError: watchStreams() };
}

/** A closed pipe (`soar-base-backup list | head`) is the reader's decision and no failure; the work goes on. */
function watchStreams(): () => Error | undefined {
  let outputError: Error | undefined;
  process.stdout.on("error", (error) => {
    if (!isClosedPipe(error)) outputError ??= error;
  });
  // stderr is where errors are told; when it fails there is nobody left to tell.
  process.stderr.on("error", () => undefined);
  return () => outputError;
}

function isClosedPipe(error: Error): boolean {
  return "code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED");
}
