import { requireNoCopy, type ClusterIdentity } from "@soar/repository";
import type { ObjectStore } from "@soar/storage";
import { readClusterIdentity } from "../cluster-identity.ts";
import { createWalPusher, type WalPusherOptions } from "../wal-pusher.ts";
import { walPath } from "../server-wal/wal-path.ts";
import { createAcknowledgements } from "./acknowledgements.ts";
import { ArchiveQueue, type QueueState } from "./archive-queue.ts";
import type { ArchiverEvent } from "./archiver-event.ts";
import type { RepositoryBinding } from "./repository-binding.ts";
import type { RetryScheduleOptions } from "./retry-schedule.ts";
import { startSocketServer } from "./socket-server.ts";
import { lockSpool } from "./spool-lock.ts";
import { watchStatus } from "./watch-status.ts";

export interface ArchiverOptions extends WalPusherOptions {
  readonly dataDir: string;
  readonly spoolDir: string;
  readonly socketPath: string;
  readonly binding: RepositoryBinding;
  readonly logsArchive: boolean;
  /** Files in flight at once. */
  readonly jobs: number;
  /** One file, with all retries; also how long a caller of archive_command waits. */
  readonly timeoutMs: number;
  readonly retry?: RetryScheduleOptions | undefined;
  /** How long files in flight may take when the archiver is stopped. */
  readonly stopGraceMs?: number | undefined;
  readonly onEvent?: ((event: ArchiverEvent) => void) | undefined;
  /** Called when callers are answered. */
  readonly onReady?: ((archiver: RunningArchiver) => void | Promise<void>) | undefined;
  /** What a caller over the socket is told about the archiver. */
  readonly status?: (() => Promise<unknown>) | undefined;
  readonly signal: AbortSignal;
}

export interface RunningArchiver {
  readonly cluster: ClusterIdentity;
  readonly queue: { readonly state: QueueState; readonly inFlight: number; readonly scannedAt: number };
}

const POLL_MS = 1_000;
const STOP_GRACE_MS = 5_000;

/**
 * The resident archiver: archives whatever PostgreSQL has finished, and answers the callers of `archive_command`, until the
 * signal aborts; then it resolves, with nothing half-done that a new start would not pick up. Rejects when it cannot go
 * on: no data directory, a spool in use or not writable.
 */
export async function runArchiver(store: ObjectStore, options: ArchiverOptions): Promise<void> {
  const { dataDir, spoolDir, signal, onEvent } = options;
  await requireNoCopy(dataDir);
  const cluster = await readClusterIdentity(walPath(dataDir, "x"));
  const lock = await lockSpool(spoolDir);
  const pusher = createWalPusher(store, options);
  try {
    const acknowledgements = createAcknowledgements(options);
    await acknowledgements.clear();
    const queue = new ArchiveQueue({ ...options, pusher, acknowledgements, onEvent });
    await queue.scan();
    const server = await startSocketServer({
      ...options,
      request: (name) => queue.request(name),
      status: options.status ?? (() => Promise.resolve({})),
    });
    try {
      await options.onReady?.({ cluster, queue });
      await watchStatus(() => queue.scan(), { dataDir, pollMs: POLL_MS, signal });
    } finally {
      await queue.stop(options.stopGraceMs ?? STOP_GRACE_MS);
      await server.close();
    }
  } finally {
    await pusher.close();
    await lock.release();
  }
}
