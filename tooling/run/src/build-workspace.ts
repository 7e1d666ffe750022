import { runCaptured, type CapturedRun } from "./run-captured.ts";

const BUILD_TIMEOUT_MS = 10 * 60_000;
const TURBO_ARGS = [
  "run",
  "build",
  "--continue=always",
  "--output-logs=errors-only",
  "--log-order=grouped",
  "--no-update-notifier",
];

/** Builds every package and app that changed since the last build. Telemetry stays off. */
export function runBuild(): Promise<CapturedRun> {
  const env = { TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", TURBO_NO_UPDATE_NOTIFIER: "1" };
  return runCaptured("turbo", TURBO_ARGS, { timeoutMs: BUILD_TIMEOUT_MS, env });
}

/** Builds in silence; what went wrong is printed. */
export async function buildWorkspace(): Promise<boolean> {
  const { status, output } = await runBuild();
  if (status !== 0)
    process.stderr.write(`${output}\nerror: unable to build the workspace: turbo ended with ${status ?? "a signal"}\n`);
  return status === 0;
}
