import { join } from "node:path";
import { hasErrorCode, SoarError } from "@soar/errors";
import { type BackupLabel, parseBackupLabel } from "@soar/pg-tools/labels";
import { createManifestReader } from "@soar/pg-tools/manifest";
import { findPostgresPrograms } from "@soar/pg-tools/cluster";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { type ConnectionConfig, type ServerFacts, serverLocation } from "@soar/pg-tools/replication";
import type { ArchiveStream, BackupRequest, BackupSource, FinishedBackup, RunningBackup } from "./backup-source.ts";
import { startBaseBackupProgram, type BaseBackupProgram, type ProgramExit } from "./base-backup-program.ts";
import { explainExit } from "./explain-exit.ts";
import { ProgramTar } from "./program-tar.ts";
import { watchProgram, type ProgramWatch } from "./watch-program.ts";

const PROGRAM = "pg_basebackup";

export interface ProgramSourceOptions {
  /** Directory of PostgreSQL's programs, to be looked into first. */
  readonly binDir?: string | undefined;
  /** How long the server may wait for its own archive at the end, in milliseconds. */
  readonly walTimeoutMs: number;
}

/**
 * `pg_basebackup`, spawned. It writes one archive to its standard output, so it cannot be used where tablespaces exist
 * (safety, trap 19). WAL comes from the archive: the program's own ways of fetching it need a second connection, or fail
 * when the server recycles it (safety, trap 20). A slow upload only makes the server wait: there is no timeout in
 * BASE_BACKUP itself.
 */
export function programSource(server: ConnectionConfig, options: ProgramSourceOptions): BackupSource {
  let program: string | undefined;
  return {
    method: "pg_basebackup",
    async check(facts) {
      requireOneTablespace(facts);
      program = await findProgram(facts, options.binDir);
    },
    async begin(request) {
      if (program === undefined) throw new Error("check comes before begin");
      const running = await startBaseBackupProgram(program, server, request);
      const watch = await watchProgram(server, {
        request,
        walTimeoutMs: options.walTimeoutMs,
        stop: running.stop,
      }).catch(async (error: unknown) => {
        await running[Symbol.asyncDispose]();
        throw error;
      });
      const backup = new ProgramBackup(running, watch, { request, location: serverLocation(server) });
      try {
        return await backup.begin();
      } catch (error) {
        await backup.close();
        throw error;
      }
    },
  };
}

function requireOneTablespace({ tablespaces }: ServerFacts): void {
  const [first] = tablespaces;
  if (first === undefined) return;
  const names = tablespaces.map(({ name }) => `'${name}'`).join(", ");
  throw new SoarError(
    "SERVER_UNSUITABLE",
    `unable to use pg_basebackup: the cluster has ${tablespaces.length === 1 ? "the tablespace" : "tablespaces"} ${names}, and the program writes only one archive to its standard output`,
    {
      hint: "Set BACKUP_METHOD=replication (--method replication), which stores every tablespace.",
    },
  );
}

/** By the program's own rule: it talks to servers of its major and older ones. */
async function findProgram({ versionNumber }: ServerFacts, binDir: string | undefined): Promise<string> {
  const major = majorOfVersionNumber(versionNumber);
  try {
    const { binDir: found } = await findPostgresPrograms({
      major,
      orNewer: true,
      required: [PROGRAM],
      searchPaths: binDir === undefined ? [] : [binDir],
    });
    return join(found, PROGRAM);
  } catch (error) {
    if (!hasErrorCode(error, "PROGRAM_MISSING", "SERVER_VERSION")) throw error;
    throw new SoarError(error.code, error.message, {
      hint: `Install it (Debian: "apt install postgresql-client-${major}"), name its directory in BACKUP_PG_BIN_DIR, or set BACKUP_METHOD=replication, which needs no program.`,
      cause: error,
    });
  }
}

interface ProgramContext {
  readonly request: BackupRequest;
  readonly location: string;
}

class ProgramBackup {
  readonly #program: BaseBackupProgram;
  readonly #watch: ProgramWatch;
  readonly #context: ProgramContext;
  readonly #tar = new ProgramTar();
  readonly #data: AsyncGenerator<Buffer, void, undefined>;
  /** Read before the archive was asked for. */
  readonly #first: Buffer[] = [];
  #exit: ProgramExit | undefined;

  constructor(program: BaseBackupProgram, watch: ProgramWatch, context: ProgramContext) {
    this.#program = program;
    this.#watch = watch;
    this.#context = context;
    this.#data = this.#read();
  }

  /** Reads as far as `backup_label`, with which the server begins the archive. */
  async begin(): Promise<RunningBackup> {
    const { startLsn, startTimeline } = await this.#readLabel();
    return {
      startLsn,
      startTimeline,
      tablespaces: [{ oid: undefined, location: undefined, estimatedBytes: await this.#watch.total() }],
      archives: () => this.#archives(),
      finish: () => this.#finish(),
      [Symbol.asyncDispose]: () => this.close(),
    };
  }

  async close(): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    await this.#watch[Symbol.asyncDispose]();
  }

  async #readLabel(): Promise<BackupLabel> {
    while (this.#tar.label === undefined) {
      const { value } = await this.#data.next();
      if (value === undefined) break;
      this.#first.push(value);
    }
    const { label } = this.#tar;
    if (label === undefined)
      throw new SoarError("BACKUP_INCOMPLETE", "pg_basebackup wrote an archive without backup_label", {
        hint: "Take the backup with --method replication, and report the server's version.",
      });
    return parseBackupLabel(label.toString("utf8"));
  }

  async *#archives(): AsyncGenerator<ArchiveStream, void, undefined> {
    yield { oid: undefined, location: undefined, data: this.#rest() };
  }

  async *#rest(): AsyncGenerator<Buffer, void, undefined> {
    yield* this.#first.splice(0);
    yield* this.#data;
  }

  /** The archive without the manifest, to the end of the program. */
  async *#read(): AsyncGenerator<Buffer, void, undefined> {
    const { request, location } = this.#context;
    const stop = (): void => this.#program.stop();
    request.signal?.addEventListener("abort", stop, { once: true });
    try {
      for await (const chunk of this.#program.stdout) yield* this.#tar.split(chunk as Buffer);
      this.#exit = await this.#program.ended;
      const failure =
        this.#watch.failure() ??
        explainExit(this.#exit, { location, isComplete: this.#tar.manifest !== undefined, signal: request.signal });
      if (failure !== undefined) throw failure;
      yield* this.#tar.end();
    } finally {
      request.signal?.removeEventListener("abort", stop);
    }
  }

  /** The manifest holds the end: PostgreSQL writes the range of WAL into it that makes the backup consistent. */
  #finish(): Promise<FinishedBackup> {
    const { manifest } = this.#tar;
    const exit = this.#exit;
    if (manifest === undefined || exit === undefined)
      throw new SoarError("BACKUP_INCOMPLETE", "pg_basebackup wrote an archive without backup_manifest", {
        hint: "Take the backup with --method replication, and report the server's version.",
      });
    const reader = createManifestReader(() => {});
    reader.push(manifest);
    const last = reader.finish().walRanges.at(-1);
    if (last === undefined) throw new SoarError("BACKUP_INCOMPLETE", "the backup_manifest names no WAL");
    const damaged = exit.status === 0 ? undefined : exit.damage.report(exit.lines.at(-1) ?? "");
    return Promise.resolve({
      manifest,
      stopLsn: last.endLsn,
      timeline: last.timeline,
      damaged,
      warnings: exit.damage.warnings,
    });
  }
}
