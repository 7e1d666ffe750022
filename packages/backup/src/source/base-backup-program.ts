import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { DamageCollector, type ServerConfig } from "@soar/pg-tools/replication";
import type { BackupRequest } from "./backup-source.ts";
import { openLibpqEnvironment } from "./libpq-environment.ts";

export interface ProgramExit {
  /** Exit status, or undefined when it was killed. */
  readonly status: number | undefined;
  /** The last lines that it wrote to stderr. */
  readonly lines: readonly string[];
  readonly damage: DamageCollector;
}

export interface BaseBackupProgram extends AsyncDisposable {
  readonly stdout: Readable;
  /** Resolves when it has ended and everything that it wrote has been read. */
  readonly ended: Promise<ProgramExit>;
  kill(): void;
}

/** Lines kept of what the program says. */
const KEPT_LINES = 12;

/** Starts `pg_basebackup` with the one set of options that streams without a local copy (safety, trap 19). */
export async function startBaseBackupProgram(
  path: string,
  server: ServerConfig,
  request: Omit<BackupRequest, "onProgress" | "signal">,
): Promise<BaseBackupProgram> {
  const { label, checkpoint, rateLimitBytes } = request;
  // Told apart by this name in pg_stat_progress_basebackup.
  const environment = await openLibpqEnvironment({ ...server, applicationName: label });
  const limit = rateLimitBytes === undefined ? [] : [`--max-rate=${Math.floor(rateLimitBytes / 1024)}k`];
  const args = [
    "--pgdata=-",
    "--format=tar",
    "--wal-method=none",
    `--checkpoint=${checkpoint}`,
    `--label=${label}`,
    "--no-password",
    ...limit,
  ];
  // In a process group of its own: Ctrl-C reaches this process only, which then ends the program in order.
  const child = spawn(path, args, {
    cwd: "/",
    env: environment.variables,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const damage = new DamageCollector();
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    damage.add(line);
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
  });
  const ended = new Promise<ProgramExit>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status: status ?? undefined, lines, damage }));
  });
  // Awaited by whoever reads the stream to its end; a failure before that must not end this process.
  ended.catch(() => {});
  const kill = (): void => void child.kill("SIGTERM");
  return {
    stdout: child.stdout,
    ended,
    kill,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) kill();
      // Nobody reads any more: without this its last write would keep it.
      child.stdout.destroy();
      await ended.catch(() => {});
      await environment[Symbol.asyncDispose]();
    },
  };
}
