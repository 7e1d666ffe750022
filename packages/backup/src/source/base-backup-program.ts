import type { Readable } from "node:stream";
import { DamageCollector, openLibpqEnvironment, type ConnectionConfig } from "@soar/pg-tools/replication";
import { startProgram } from "@soar/programs";
import type { BackupRequest } from "./backup-source.ts";

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
  /** Asks it to end, and ends it by force when it does not. */
  stop(): void;
}

/** Lines of what the program says that are told. */
const KEPT_LINES = 12;

/** Starts `pg_basebackup` with the one set of options that streams without a local copy (safety, trap 19). */
export async function startBaseBackupProgram(
  path: string,
  server: ConnectionConfig,
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
  const damage = new DamageCollector();
  try {
    const program = startProgram(path, args, {
      env: environment.variables,
      owner: environment.owner,
      onComplaint: (line) => {
        const warning = warningOf(line);
        if (warning !== undefined) damage.add(warning);
      },
    });
    return {
      stdout: program.stdout,
      ended: program.ended.then(({ status, stderr }) => ({ status, lines: lastLines(stderr), damage })),
      stop: () => program.stop(),
      async [Symbol.asyncDispose]() {
        await program[Symbol.asyncDispose]();
        await environment[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await environment[Symbol.asyncDispose]();
    throw error;
  }
}

/** As libpq prints what a server says (`WARNING:  ...`, in the server's language); what the program itself says begins with its name. */
function warningOf(line: string): string | undefined {
  return /^(?!pg_basebackup:)\S+: {2}(.*)$/.exec(line)?.[1];
}

function lastLines(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .slice(-KEPT_LINES);
}
