import { isSoarError, SoarError } from "@soar/errors";
import { readClusterState, stopCluster } from "@soar/pg-tools/cluster";
import type { ObjectStore } from "@soar/storage";
import { checkRestore } from "./check-restore.ts";
import type { CheckedRestore, RestoreOptions, Still } from "./run/restore-options.ts";
import type { RestorePlan } from "./plan/plan.ts";
import { findConfig } from "./server-config/config-choice.ts";
import { stopServer } from "./server-control/server-control.ts";
import { controlUnits } from "./server-control/systemd.ts";
import { startServer } from "./in-place/start-server.ts";

/**
 * Stops the applications and the server whose directory is going to be restored, and plans again, because until then it
 * wrote WAL. When one of them cannot be stopped, or that plan is impossible, everything is started again as it was.
 */
export async function standStill(
  store: ObjectStore,
  plan: RestorePlan,
  checked: CheckedRestore,
  options: RestoreOptions,
): Promise<Still> {
  const { approach, control, canControlServices } = checked;
  const { dataDir, appServices = [], systemEnv, signal, onEvent } = options;
  if (approach.kind === "finish" || approach.kind === "follow") return { plan, checked };
  const services = canControlServices ? appServices : [];
  const running = "running" in approach ? approach.running : undefined;
  try {
    await controlUnits("stop", services, systemEnv);
    if (services.length > 0) onEvent?.({ type: "done", text: `stopped ${services.join(", ")}` });
    if (running === undefined) return { plan, checked };
    await stopServer(control, dataDir, { env: systemEnv, signal });
    onEvent?.({ type: "done", text: `stopped the server of ${dataDir}` });
    const again = await options.replan();
    return { plan: again, checked: { ...(await checkRestore(store, again, options)), control } };
  } catch (error) {
    await startAgain(plan, checked, { ...options, services, isServerStopped: running !== undefined }).catch(
      (cause: unknown) => {
        throw isSoarError(error) && isSoarError(cause)
          ? new SoarError(
              error.code,
              `${error.message}; and what was stopped could not be started again: ${cause.message}`,
              { hint: cause.hint, cause: error },
            )
          : cause;
      },
    );
    throw error;
  }
}

interface Stopped extends RestoreOptions {
  readonly services: readonly string[];
  readonly isServerStopped: boolean;
}

/** Not by the signal of the run, which may be the reason. */
async function startAgain(
  { backup }: RestorePlan,
  { control, binDir }: CheckedRestore,
  { services, isServerStopped, ...options }: Stopped,
): Promise<void> {
  const { dataDir, systemEnv, onEvent } = options;
  if (isServerStopped) {
    // It may have been told to stop, and not be there yet.
    if ((await readClusterState(dataDir)).status === "stopping") await stopCluster({ dataDir, mode: "fast" });
    const config = await findConfig(backup, dataDir);
    await startServer(control, { ...options, signal: undefined, binDir, config });
  }
  await controlUnits("start", services, systemEnv);
  if (services.length > 0 || isServerStopped)
    onEvent?.({ type: "done", text: "started everything again, because the restore is not possible" });
}
