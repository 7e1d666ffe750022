import type { ObjectStore } from "@soar/storage";
import { checkRestore } from "../check-restore.ts";
import type { Still } from "../restore-cluster.ts";
import type { CheckedRestore, RestoreOptions } from "../restore-options.ts";
import type { RestorePlan } from "../restore-plan.ts";
import { chooseConfigFile } from "../server-files.ts";
import { stopServer } from "../server-control/server-control.ts";
import { controlUnits } from "../server-control/systemd.ts";
import { startServer } from "./start-server.ts";

/**
 * Stops the applications and the server whose directory is going to be restored, and plans again, because until then it
 * wrote WAL. When that plan is impossible, everything is started again as it was.
 */
export async function standStill(store: ObjectStore, plan: RestorePlan, checked: CheckedRestore, options: RestoreOptions): Promise<Still> {
  const { approach, control, canControlServices } = checked;
  const { dataDir, appServices = [], systemEnv, signal, onEvent } = options;
  if (approach.kind === "finish" || approach.kind === "follow") return { plan, checked };
  const services = canControlServices ? appServices : [];
  await controlUnits("stop", services, systemEnv);
  if (services.length > 0) onEvent?.({ type: "done", text: `stopped ${services.join(", ")}` });
  if (!("running" in approach) || approach.running === undefined) return { plan, checked };
  await stopServer(control, dataDir, { env: systemEnv, signal });
  onEvent?.({ type: "done", text: `stopped the server of ${dataDir}` });
  try {
    const again = await options.replan();
    return { plan: again, checked: { ...(await checkRestore(again, options)), control } };
  } catch (error) {
    const config = await chooseConfigFile(store, plan.backup, dataDir, { inPlace: true, signal });
    await startServer(control, { ...options, binDir: checked.binDir, config });
    await controlUnits("start", services, systemEnv);
    onEvent?.({ type: "done", text: "started everything again, because the restore is not possible" });
    throw error;
  }
}
