import { appendFileSync, chownSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { TestCluster } from "@soar-tooling/postgres-clusters";
import { freePort, serverUser } from "@soar-tooling/test-bench";
import { timed } from "./timed.ts";
import type { ToolCommands } from "./tool.ts";

export interface Replayed {
  readonly seconds: number;
  /** Segments that recovery asked for and got. */
  readonly amount: number;
}

export interface CopyOptions {
  /** A base backup, as it came from the server. */
  readonly copy: string;
  readonly directory: string;
  readonly restoreCommand: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Recovers a copy of the cluster to the end of the archive; from the start of the server to its promotion. */
export async function recoverCopy(
  cluster: TestCluster,
  { copy, directory, restoreCommand, env = {} }: CopyOptions,
): Promise<Replayed> {
  const dataDir = join(directory, "recovered");
  const log = join(directory, "recovered.log");
  for (const path of [dataDir, log, join(directory, "spool/archive")]) rmSync(path, { recursive: true, force: true });
  await timed(["cp", "-a", copy, dataDir], {});
  const settings = {
    archive_mode: "off",
    port: await freePort(),
    unix_socket_directories: directory,
    restore_command: restoreCommand.replaceAll("'", "''"),
    log_min_messages: "log",
  };
  appendFileSync(
    join(dataDir, "postgresql.conf"),
    Object.entries(settings)
      .map(([name, value]) => `${name} = '${value}'\n`)
      .join(""),
  );
  const signal = join(dataDir, "recovery.signal");
  writeFileSync(signal, "");
  chownSync(signal, serverUser().uid, serverUser().gid);
  const start = performance.now();
  await cluster.runProgram("pg_ctl", ["start", "-W", "-D", dataDir, "-l", log], { env });
  await waitForPromotion(log);
  const seconds = (performance.now() - start) / 1000;
  await cluster.runProgram("pg_ctl", ["stop", "-D", dataDir, "-m", "immediate"]);
  const amount = readFileSync(log, "utf8").match(/restored log file "[0-9A-F]{24}"/g)?.length ?? 0;
  rmSync(dataDir, { recursive: true });
  return { seconds, amount };
}

/** Its control file says from the start that the server is in production, as the one that was copied was: only the log tells. */
async function waitForPromotion(log: string): Promise<void> {
  for (let said = ""; !said.includes("archive recovery complete"); await delay(50)) {
    said = readFileSync(log, "utf8");
    const failure = /^.*FATAL:.*$/m.exec(said.replaceAll(/^.*FATAL: {2}the database system is .*$/gm, ""));
    if (failure !== null) throw new Error(`recovery of the copy failed: ${failure[0]}`);
  }
}

/** The same with Soar, whose plan, proof and last start belong to it. */
export async function restoreLatest(
  cluster: TestCluster,
  { commands, directory }: { readonly commands: ToolCommands; readonly directory: string },
): Promise<Replayed> {
  const dataDir = join(directory, "recovered");
  const [program = "", ...rest] = commands.restore?.(dataDir) ?? [];
  const words = rest.filter((word) => !["--immediate", "--target-action", "shutdown"].includes(word));
  const port = String(await freePort());
  const { stdout } = await timed([program, ...words, "--latest", "--port", port, "--json"], commands.env);
  await cluster.runProgram("pg_ctl", ["stop", "-D", dataDir, "-m", "immediate"]);
  rmSync(dataDir, { recursive: true });
  const { recoverMs, restoredFiles } = JSON.parse(stdout) as { recoverMs: number; restoredFiles: number };
  return { seconds: recoverMs / 1000, amount: restoredFiles };
}
