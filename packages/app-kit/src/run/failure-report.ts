import { arch, platform, release } from "node:os";
import { hasErrorCode, isSoarError, messageOf, redactSecrets, SoarError } from "@soar/errors";
import type { App } from "../options/command.ts";

/** What is said about a failure: on stderr as lines, in JSON logs as fields. */
export interface FailureReport {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** Stack and versions; only of a bug. */
  readonly details: string | undefined;
}

/** Two lines for a failure that the operator can act on; stack and versions for everything else, which is a bug. */
export function reportOf(error: unknown, app: Pick<App, "name" | "version">): FailureReport {
  if (isSoarError(error)) {
    const { code, message, hint } = error;
    return {
      code,
      message: redactSecrets(message),
      hint: hint === undefined ? undefined : redactSecrets(hint),
      details: undefined,
    };
  }
  const name = error instanceof Error ? error.name : "Error";
  return {
    code: "BUG",
    message: redactSecrets(`unexpected ${name}: ${error instanceof Error ? error.message : describeThrown(error)}`),
    hint: "This is a bug. Please report it with the lines above; nothing was reported as done that was not.",
    details: redactSecrets(
      `${stackOf(error)}\n${app.name} ${app.version}, Node ${process.version}, ${platform()} ${release()} ${arch()}`,
    ),
  };
}

/** Stack of an error and of everything that caused it. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return describeThrown(error);
  const own = error.stack ?? String(error);
  return error.cause === undefined ? own : `${own}\ncaused by: ${stackOf(error.cause)}`;
}

/**
 * The error to report for a run that ended with `error`: after a signal, libraries may end with an `AbortError` of their
 * own, and that is the signal, not a bug. One that says what the signal says and what came of it stays as it is.
 */
export function withSignal(error: unknown, signal: AbortSignal): unknown {
  if (!signal.aborted || error === signal.reason) return error;
  if (hasErrorCode(error, "ABORTED") && error.message.startsWith(`${messageOf(signal.reason)}; `)) return error;
  const isAbort = error instanceof Error && (error.name === "AbortError" || error.cause === signal.reason);
  return isAbort || hasErrorCode(error, "ABORTED") ? signal.reason : error;
}

export function abortedBy(signalName: string, app: Pick<App, "name">): SoarError {
  return new SoarError("ABORTED", `unable to finish '${app.name}': it was stopped by ${signalName}`, {
    hint: "Nothing was reported as done that was not. Run the command again when you are ready.",
  });
}

function describeThrown(error: unknown): string {
  return typeof error === "string" ? error : (JSON.stringify(error) ?? String(error));
}
