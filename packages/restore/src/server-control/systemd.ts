import { readFile } from "node:fs/promises";
import { requireCommand, runCommand, type Environment } from "./run-command.ts";

/** Words of `systemctl is-system-running` where systemd is in charge; in a container it says `offline`. */
const IN_CHARGE = new Set(["initializing", "starting", "running", "degraded", "maintenance", "stopping"]);

/** Whether units can be stopped and started here. */
export async function hasSystemd(env: Environment): Promise<boolean> {
  const result = await runCommand(["systemctl", "is-system-running"], env);
  return result !== undefined && IN_CHARGE.has(result.stdout.trim());
}

export function systemctl(verb: "stop" | "start", units: readonly string[]): string[] {
  return ["systemctl", verb, ...units];
}

export async function controlUnits(verb: "stop" | "start", units: readonly string[], env: Environment): Promise<void> {
  if (units.length > 0) await requireCommand(systemctl(verb, units), env);
}

/** The unit that a process runs in, from its control group; undefined when it runs in none of the system's own. */
export async function unitOfProcess(processId: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${processId}/cgroup`, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ESRCH") return "";
    throw error;
  });
  return /^\d+:(?:name=systemd)?:\/system\.slice\/(?:.*\/)?([^/\n]+\.service)$/m.exec(text)?.[1];
}

/** The unit among these that systemd knows and whose PGDATA is this directory, as RPM packages set it. */
export async function unitOfDirectory(dataDir: string, names: readonly string[], env: Environment): Promise<string | undefined> {
  for (const name of names) {
    const result = await runCommand(["systemctl", "show", name, "--property=LoadState,Environment"], env);
    const isLoaded = result?.stdout.includes("LoadState=loaded") ?? false;
    if (isLoaded && new RegExp(`\\bPGDATA=${escapeRegExp(dataDir)}/?(?:\\s|$)`).test(result?.stdout ?? "")) return name;
  }
  return undefined;
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
