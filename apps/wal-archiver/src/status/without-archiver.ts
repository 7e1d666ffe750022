import { openConfiguredStore, serverConnection, type Config, type Log } from "@soar/app-kit";
import {
  readRepositoryFacts,
  readStandaloneStatus,
  type ArchiverStatus,
  type RepositoryFacts,
} from "@soar/archive/status";
import { isSoarError, SoarError } from "@soar/errors";
import type { Lsn } from "@soar/pg-tools";
import { connectSomewhere } from "@soar/pg-tools/replication";
import type { ObjectStore } from "@soar/storage";
import type { statusOptions } from "../options.ts";
import { readPosition } from "../read-position.ts";

/** A person waits. */
const PATIENCE_MS = 5_000;

interface Asked {
  readonly config: Config<typeof statusOptions>;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly envFile: string | undefined;
}

/** The status from what can be looked at without a resident archiver; what cannot is told as a problem. */
export async function readWithoutArchiver(dataDir: string, asked: Asked): Promise<ArchiverStatus> {
  const { config, signal } = asked;
  const problems: string[] = [];
  const flushLsn = await askServer(asked, problems);
  const common = { dataDir, spoolDir: config.spool, flushLsn, problems, now: new Date(), signal };
  const store = await openBucket(asked, problems);
  if (store === undefined) return await readStandaloneStatus({ ...common, repository: undefined });
  try {
    const repository: RepositoryFacts = await readRepositoryFacts(store, { signal });
    return await readStandaloneStatus({ ...common, store, repository });
  } catch (error) {
    if (!isSoarError(error) || signal.aborted || error.code === "WAL_INVALID") throw error;
    problems.push(`The bucket cannot be read, so PostgreSQL's own word is all there is: ${error.message}.`);
    return await readStandaloneStatus({ ...common, repository: undefined });
  } finally {
    await store.close();
  }
}

async function openBucket({ config, envFile }: Asked, problems: string[]): Promise<ObjectStore | undefined> {
  const { bucket } = config;
  try {
    if (bucket === undefined) throw new SoarError("CONFIG_INVALID", "BACKUP_BUCKET is not set");
    // Without the log: what fails is told once, as a problem.
    return await openConfiguredStore(
      { ...config, bucket },
      {
        envFile,
        overrides: { retry: { deadlineMs: PATIENCE_MS } },
      },
    );
  } catch (error) {
    if (!isSoarError(error)) throw error;
    problems.push(`The bucket is not known, so PostgreSQL's own word is all there is: ${error.message}.`);
    return undefined;
  }
}

async function askServer({ config, log, signal }: Asked, problems: string[]): Promise<Lsn | undefined> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  try {
    await using connection = await connectSomewhere(serverConnection(config, { applicationName: "soar", log }), {
      signal: patience,
    });
    return await readPosition(connection, patience);
  } catch (error) {
    if (!isSoarError(error) || signal.aborted) throw error;
    problems.push(
      `The server cannot be asked how far its WAL goes, so only whole segments are counted: ${error.message}.`,
    );
    return undefined;
  }
}
