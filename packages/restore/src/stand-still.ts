import { hasErrorCode, isSoarError, messageOf, SoarError } from "@soar/errors";
import { readClusterState, stopCluster } from "@soar/pg-tools/cluster";
import type { ObjectStore } from "@soar/storage";
import { checkRestore } from "./check-restore.ts";
import type { Approach } from "./fetch/delta/approach.ts";
import { startCommand } from "./in-place/start-command.ts";
import { configAsItWas } from "./in-place/started-with.ts";
import type { CheckedRestore, RestoreOptions, Still } from "./run/restore-options.ts";
import type { RestorePlan } from "./plan/plan.ts";
import type { ConfigChoice } from "./server-config/config-choice.ts";
import { stopServer } from "./server-control/server-control.ts";
import { controlUnits, systemctl } from "./server-control/systemd.ts";
import { startServer } from "./in-place/start-server.ts";
import { isAtWork } from "./status/restore-lock.ts";

/**
 * Stops the applications and the server whose directory is going to be restored, plans again, because until then it wrote WAL,
 * and carries out `work`. When that is impossible, or ends before anything of the old data was changed, everything is
 * started again as it was, and the failure says so.
 */
export async function standStill<T>(
  store: ObjectStore,
  plan: RestorePlan,
  checked: CheckedRestore,
  options: RestoreOptions,
  work: (still: Still) => Promise<T>,
): Promise<T> {
  const { approach } = checked;
  if (!stopsAnything(approach)) return await work({ plan, checked, noteChange: () => undefined });
  const services = servicesToStop(checked, options.appServices ?? []);
  const running = "running" in approach ? approach.running : undefined;
  let isChanged = false;
  try {
    const still = await stopAndPlan(store, plan, checked, { ...options, services, running });
    return await work({ ...still, noteChange: () => (isChanged = true) });
  } catch (error) {
    if (isChanged) throw error;
    const reason = reasonOf(error, options.signal);
    const stopped = [...(running === undefined ? [] : [`the server of '${options.dataDir}'`]), ...services].join(", ");
    if (stopped === "") throw error;
    if (!isAsItWas(approach)) throw staysStopped(reason, stopped, options);
    const isServerStopped = running !== undefined;
    throw await startAgain(reason, plan, checked, { ...options, services, isServerStopped, stopped });
  }
}

/** After a signal, libraries and our own waits end with errors of theirs: what is told is the signal. */
function reasonOf(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted !== true) return error;
  const isAbort = error instanceof Error && (error.name === "AbortError" || error.cause === signal.reason);
  return isAbort || hasErrorCode(error, "ABORTED") ? signal.reason : error;
}

/** Units of applications that a restore stops, of those that it was given: none of them where an earlier run has. */
export function servicesToStop(
  { approach, canControlServices }: Pick<CheckedRestore, "approach" | "canControlServices">,
  appServices: readonly string[],
): readonly string[] {
  return canControlServices && stopsAnything(approach) ? appServices : [];
}

function stopsAnything({ kind }: Approach): boolean {
  return kind !== "finish" && kind !== "follow" && kind !== "opened";
}

interface Stopping extends RestoreOptions {
  readonly services: readonly string[];
  readonly running: number | undefined;
}

async function stopAndPlan(
  store: ObjectStore,
  plan: RestorePlan,
  checked: CheckedRestore,
  { services, running, ...options }: Stopping,
): Promise<Omit<Still, "noteChange">> {
  const { dataDir, systemEnv, signal, onEvent } = options;
  const { control } = checked;
  await controlUnits("stop", services, systemEnv);
  if (services.length > 0) onEvent?.({ type: "done", text: `stopped ${services.join(", ")}` });
  if (running === undefined) return { plan, checked };
  await stopServer(control, dataDir, { env: systemEnv, signal });
  onEvent?.({ type: "done", text: `stopped the server of ${dataDir}` });
  const again = await options.replan();
  return { plan: again, checked: { ...(await checkRestore(store, again, options)), control } };
}

/** Elsewhere an earlier restore has stopped what ran, and a server that it left has not been proved: nobody is let in to it. */
function isAsItWas(approach: Approach): boolean {
  if (approach.kind === "refill") return approach.ownData;
  return approach.kind === "fill" || approach.kind === "replace";
}

interface Stopped extends RestoreOptions {
  readonly services: readonly string[];
  readonly isServerStopped: boolean;
  /** All of it, in words; never empty. */
  readonly stopped: string;
}

/** The failure of a restore that has stopped what an earlier one left, and lets nobody in to that. */
function staysStopped(error: unknown, stopped: string, { onEvent }: RestoreOptions): unknown {
  onEvent?.({ type: "done", text: `left stopped, because an earlier restore has not proved it: ${stopped}` });
  if (!isSoarError(error)) return error;
  const hint = (error.hint ?? "").replace(/ *Nothing was changed\.$/, "");
  return withFact(error, `what was stopped for the restore stays stopped: ${stopped}`, {
    code: error.code,
    hint: `${hint} Nothing of the data was changed. An earlier restore has left it unproved: a restore there that completes starts what was stopped.`.trimStart(),
  });
}

/** The failure of a restore beside which another one works in the same directory: a server would start in what that has written by now. */
function leftToOther(error: unknown, stopped: string, { onEvent }: RestoreOptions): unknown {
  onEvent?.({ type: "done", text: `left stopped, because another restore is at work there: ${stopped}` });
  if (!isSoarError(error)) return error;
  return withFact(
    error,
    `what was stopped for the restore is not started while another restore is at work there: ${stopped}`,
    {
      code: error.code,
      hint: "Watch it with: soar-restore status. It starts server and applications when the restored server is proved.",
    },
  );
}

/** Resolves to the failure, with what came of it. Not by the signal of the run, which may be the reason. */
async function startAgain(
  error: unknown,
  plan: RestorePlan,
  checked: CheckedRestore,
  options: Stopped,
): Promise<unknown> {
  const { services, isServerStopped, stopped, dataDir, systemEnv, onEvent } = options;
  let config: ConfigChoice | undefined;
  try {
    if (await isAtWork(dataDir)) return leftToOther(error, stopped, options);
    // Before it: a server may take minutes, and a second signal ends this program meanwhile.
    onEvent?.({ type: "done", text: `nothing of the data was changed; starting again what was stopped: ${stopped}` });
    if (isServerStopped) {
      config = await configAsItWas(plan.backup, dataDir);
      await startOldServer(config, checked, options);
    }
    await controlUnits("start", services, systemEnv);
  } catch (cause) {
    const commands = [
      ...(isServerStopped ? [await startCommand(checked.control, { dataDir, binDir: checked.binDir, config })] : []),
      ...(services.length > 0 ? [systemctl("start", services).join(" ")] : []),
    ];
    const why = isSoarError(cause) && cause.hint !== undefined ? `${cause.hint} ` : "";
    return withFact(error, `and what was stopped could not be started again: ${messageOf(cause)}`, {
      code: isSoarError(cause) ? cause.code : "SERVER_START_FAILED",
      hint: `${why}Nothing of the data was changed. When the reason is gone: ${commands.join("; ")}`,
    });
  }
  onEvent?.({ type: "done", text: "started everything again" });
  return isSoarError(error)
    ? withFact(error, `what was stopped for the restore was started again: ${stopped}`, error)
    : error;
}

/** @param told what is said of a failure that is none of ours */
function withFact(error: unknown, fact: string, told: Pick<SoarError, "code" | "hint">): SoarError {
  const code = isSoarError(error) ? error.code : told.code;
  return new SoarError(code, `${messageOf(error)}; ${fact}`, { hint: told.hint, cause: error });
}

async function startOldServer(
  config: ConfigChoice,
  { control, binDir }: CheckedRestore,
  options: RestoreOptions,
): Promise<void> {
  const { dataDir } = options;
  // It may have been told to stop, and not be there yet.
  if ((await readClusterState(dataDir)).status === "stopping") await stopCluster({ dataDir, mode: "fast" });
  await startServer(control, {
    ...options,
    // Whose the files are, and where it listened.
    owner: undefined,
    port: undefined,
    signal: undefined,
    binDir,
    config,
    words: { server: "the server", hint: "" },
  });
}
