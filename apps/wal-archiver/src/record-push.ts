import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Config } from "@soar/app-kit";
import {
  changeOf,
  formatArchiverMetrics,
  joinChanges,
  readCachedFacts,
  readRepositoryFacts,
  readStandaloneStatus,
  updateCounters,
  writeCachedFacts,
  type ArchiverStatus,
  type CounterChange,
  type RepositoryFacts,
} from "@soar/archive/status";
import { doubtOfDirectory } from "@soar/archive/client";
import { isSpoolInUse, type ArchiverEvent } from "@soar/archive/daemon";
import { isSoarError } from "@soar/errors";
import { writeMetricsFile } from "@soar/metrics";
import type { ObjectStore, StoreEvent } from "@soar/storage";
import type { archiveOptions } from "./options.ts";

/** Counts what one `archive_command` did by itself, and writes the metrics that the resident archiver would serve. */
export interface PushRecorder {
  countRequest(event: StoreEvent): void;
  /**
   * The file's own event, and those of files that were archived besides. Never rejects for the metrics' own troubles: gives them as
   * one sentence, because a file that is archived must count as archived.
   */
  finish(
    events: readonly [own: ArchiverEvent, ...besides: ArchiverEvent[]],
    store: ObjectStore,
  ): Promise<string | undefined>;
}

/** PostgreSQL waits meanwhile. */
const PATIENCE_MS = 250;
const FACTS_EVERY_MS = 60 * 60_000;
const FACTS_PATIENCE_MS = 3_000;

export function recordPush(
  { spool, metricsFile }: Pick<Config<typeof archiveOptions>, "spool" | "metricsFile">,
  path: string,
): PushRecorder {
  let change: CounterChange = {};
  const count = (event: StoreEvent | ArchiverEvent): void => {
    change = joinChanges(change, changeOf(event, new Date()) ?? {});
  };
  return {
    countRequest: count,
    async finish(events, store) {
      // Whoever never made a spool and wants no metrics is not bothered about it.
      if (metricsFile === undefined && !existsSync(spool)) return undefined;
      const doubt = doubtOfDirectory(spool);
      // Nothing is believed that lies there, and nothing put there; archiving goes on without.
      if (doubt !== undefined) return metricsFile === undefined ? undefined : `metrics are not up to date: ${doubt}`;
      for (const event of events) count(event);
      try {
        await updateCounters(spool, change, { patienceMs: PATIENCE_MS });
        // The archiver of this spool writes the file itself.
        if (metricsFile === undefined || (await isSpoolInUse(spool))) return undefined;
        const facts = await currentFacts(spool, events[0].type === "archived" ? store : undefined);
        const status = await statusOf({ path, spoolDir: spool, facts });
        await writeMetricsFile("soar-wal-archive", metricsFile, formatArchiverMetrics(status));
        return undefined;
      } catch (error) {
        if (!isSoarError(error) && !isSystemError(error)) throw error;
        return `metrics are not up to date: ${error.message}`;
      }
    },
  };
}

/** The bucket is asked at most once an hour: every listing costs money and PostgreSQL's patience. */
async function currentFacts(spoolDir: string, store: ObjectStore | undefined): Promise<RepositoryFacts | undefined> {
  const cached = await readCachedFacts(spoolDir);
  const isFresh = cached !== undefined && Date.now() - Date.parse(cached.readAt) < FACTS_EVERY_MS;
  if (isFresh || store === undefined) return cached?.facts;
  const facts = await readRepositoryFacts(store, { signal: AbortSignal.timeout(FACTS_PATIENCE_MS) });
  await updateCounters(spoolDir, { baseBackups: facts.runs }, { patienceMs: PATIENCE_MS });
  await writeCachedFacts(spoolDir, { readAt: new Date().toISOString(), facts });
  return facts;
}

async function statusOf({
  path,
  spoolDir,
  facts,
}: {
  readonly path: string;
  readonly spoolDir: string;
  readonly facts: RepositoryFacts | undefined;
}): Promise<ArchiverStatus> {
  // As PostgreSQL passes it, the file lies in the data directory's pg_wal.
  const dataDir = dirname(dirname(resolve(path)));
  return await readStandaloneStatus({ dataDir, spoolDir, repository: facts, now: new Date() });
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}
