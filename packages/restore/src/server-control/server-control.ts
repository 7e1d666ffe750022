import { SoarError } from "@soar/errors";
import { readClusterState, stopCluster } from "@soar/pg-tools/cluster";
import { requireCommand, runCommand, type Environment } from "./run-command.ts";
import { hasSystemd, systemctl, unitOfDirectory, unitOfProcess } from "./systemd.ts";

/** Who starts and stops the server of a data directory on this machine. */
export type ServerControl =
  | { readonly kind: "systemd"; readonly unit: string }
  /** Debian's postgresql-common without systemd. */
  | { readonly kind: "pg_ctlcluster"; readonly version: string; readonly name: string }
  /** Nobody that we know of: signals to the server, and the server's own program. */
  | { readonly kind: "pg_ctl" };

export interface ControlOptions {
  readonly dataDir: string;
  /** Another path of the same directory; the same one where there is none. */
  readonly alsoNamed?: string | undefined;
  readonly postgresMajor: number;
  /** The unit that runs the server, where it is none that can be found. */
  readonly service?: string | undefined;
  readonly env: Environment;
}

/** Finds out how the server is controlled. Rejects with `CONFIG_INVALID` when a unit is named and there is no systemd. */
export async function findServerControl(options: ControlOptions): Promise<ServerControl> {
  const { dataDir, alsoNamed = dataDir, service, postgresMajor, env } = options;
  const names = [...new Set([dataDir, alsoNamed])];
  const systemd = await hasSystemd(env);
  if (service !== undefined) {
    if (systemd) return { kind: "systemd", unit: service };
    throw new SoarError("CONFIG_INVALID", `unable to control the service '${service}': systemd does not run here`, {
      hint: "Leave --postgres-service out: the server is then started and stopped directly.",
    });
  }
  const debian = await findDebianCluster(names, env);
  if (!systemd) return debian === undefined ? { kind: "pg_ctl" } : { kind: "pg_ctlcluster", ...debian };
  const { pid } = await readClusterState(dataDir);
  const running = pid === undefined ? undefined : await unitOfProcess(pid, env);
  const unit =
    running ??
    (debian === undefined
      ? await unitOfDirectory(names, [`postgresql-${postgresMajor}.service`, "postgresql.service"], env)
      : `postgresql@${debian.version}-${debian.name}.service`);
  return unit === undefined ? { kind: "pg_ctl" } : { kind: "systemd", unit };
}

/** The command line for a person, and for us where it is not `pg_ctl`. */
export function controlCommand(control: ServerControl, verb: "stop" | "start", dataDir: string): string[] {
  switch (control.kind) {
    case "systemd":
      return systemctl(verb, [control.unit]);
    case "pg_ctlcluster":
      return ["pg_ctlcluster", control.version, control.name, verb, ...(verb === "stop" ? ["-m", "fast"] : [])];
    case "pg_ctl":
      return ["pg_ctl", "-D", dataDir, verb, ...(verb === "stop" ? ["-m", "fast"] : [])];
  }
}

/** Stops the server and proves that none of its processes is left. Does nothing when none runs. */
export async function stopServer(
  control: ServerControl,
  dataDir: string,
  options: { readonly env: Environment; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  if (!(await readClusterState(dataDir)).running) return;
  if (control.kind !== "pg_ctl") await requireCommand(controlCommand(control, "stop", dataDir), options.env);
  // Somebody may have started it by hand, past its unit.
  await stopCluster({ dataDir, mode: "fast", signal: options.signal });
}

/** From Debian's list of clusters; undefined where there is none or the directory is not in it. */
async function findDebianCluster(
  names: readonly string[],
  env: Environment,
): Promise<{ readonly version: string; readonly name: string } | undefined> {
  const result = await runCommand(["pg_lsclusters", "--no-header"], env);
  for (const line of result?.stdout.split("\n") ?? []) {
    const [version, name, , , , directory] = line.trim().split(/\s+/);
    if (version !== undefined && name !== undefined && names.includes(directory ?? "")) return { version, name };
  }
  return undefined;
}
