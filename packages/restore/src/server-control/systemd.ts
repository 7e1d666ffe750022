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

/**
 * The unit whose main process this is; undefined when there is none. A server that was started from within another service,
 * by cron or by a deployment, belongs to that one's control group, too: stopping it would be another matter.
 */
export async function unitOfProcess(processId: number, env: Environment): Promise<string | undefined> {
  const result = await runCommand(["systemctl", "show", "*.service", "--property=Id,MainPID"], env);
  const units = (result?.stdout ?? "").split(/\n{2,}/).map((block) => block.split("\n"));
  const own = units.find((lines) => lines.includes(`MainPID=${processId}`));
  return own?.find((line) => line.startsWith("Id="))?.slice("Id=".length);
}

/** The unit among these that systemd knows and whose PGDATA is this directory, by one of its names, as RPM packages set it. */
export async function unitOfDirectory(
  directories: readonly string[],
  names: readonly string[],
  env: Environment,
): Promise<string | undefined> {
  const pattern = new RegExp(`\\bPGDATA=(?:${directories.map(escapeRegExp).join("|")})/?(?:\\s|$)`);
  for (const name of names) {
    const result = await runCommand(["systemctl", "show", name, "--property=LoadState,Environment"], env);
    const isLoaded = result?.stdout.includes("LoadState=loaded") ?? false;
    if (isLoaded && pattern.test(result?.stdout ?? "")) return name;
  }
  return undefined;
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
