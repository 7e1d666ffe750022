import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Config } from "@soar/app-kit";
import { doubtOfDirectory } from "@soar/archive/client";
import type { AheadOutcome } from "@soar/archive/ahead";
import { messageOf } from "@soar/errors";
import type { ObjectStore } from "@soar/storage";
import { bindingOf } from "./binding.ts";
import type { archiveOptions } from "./options.ts";
import { isLaunched } from "./program.ts";
import { isPlainPush } from "./push-through-archiver.ts";

export interface StoredFile {
  readonly path: string;
  readonly name: string;
  /** How long it took. */
  readonly durationMs: number;
}

export interface StoreAheadOptions {
  readonly envFile: string | undefined;
  readonly toolVersion: string;
  readonly signal: AbortSignal;
}

export interface StoredAhead {
  readonly archived: AheadOutcome["archived"];
  /** What has to stand in the server's log. */
  readonly warning: string | undefined;
}

const NOTHING: StoredAhead = { archived: [], warning: undefined };
/** Where one file takes longer, starting Node for each is a small part of the time, and PostgreSQL is not left waiting. */
const WORTH_IT_MS = 3_000;

/**
 * Stores what PostgreSQL asks for next, for the launcher to answer (`archiveAhead`): only for a call of PostgreSQL's own by
 * the launcher, and where there is a spool that nobody else can write to. Never rejects, because the file of this call is archived.
 */
export async function storeAhead(
  store: ObjectStore,
  { path, name, durationMs }: StoredFile,
  config: Config<typeof archiveOptions>,
  { envFile, toolVersion, signal }: StoreAheadOptions,
): Promise<StoredAhead> {
  const directory = dirname(resolve(path));
  const isServers = isLaunched && isPlainPush(process.argv.slice(2)) && basename(directory) === "pg_wal";
  if (!isServers || durationMs > WORTH_IT_MS) return NOTHING;
  if (!existsSync(config.spool) || doubtOfDirectory(config.spool) !== undefined) return NOTHING;
  try {
    const { archiveAhead } = await import("@soar/archive/ahead");
    const { archived, failure } = await archiveAhead(store, name, {
      dataDir: dirname(directory),
      spoolDir: config.spool,
      binding: await bindingOf(config, envFile),
      logsArchive: config.logArchive,
      codec: config.walCompression,
      level: config.walCompressionLevel,
      toolVersion,
      durationMs,
      signal,
    });
    return { archived, warning: failure && doubt(failure.what, failure.error) };
  } catch (error) {
    return { archived: [], warning: doubt("look ahead of PostgreSQL", error) };
  }
}

function doubt(what: string, error: unknown): string {
  return `unable to ${what}: ${messageOf(error)}`;
}
