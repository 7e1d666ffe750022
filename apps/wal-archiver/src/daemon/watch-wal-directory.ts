import { setTimeout as delay } from "node:timers/promises";
import { finishedAt, readWalDirectory, type WalDirectory } from "@soar/archive/server-wal";

const EVERY_MS = 10_000;

export interface WalDirectoryWatch {
  readonly directory: WalDirectory | undefined;
  /** When the oldest file that waits was finished. */
  readonly oldestPendingAtMs: number | undefined;
  run(): Promise<void>;
}

/** Looks how full `pg_wal` is, until the signal aborts. Rejects when it is not there any more. */
export function createWalDirectoryWatch(
  dataDir: string,
  { oldestPending, signal }: { readonly oldestPending: () => string | undefined; readonly signal: AbortSignal },
): WalDirectoryWatch {
  let directory: WalDirectory | undefined;
  let oldest: { readonly name: string; readonly atMs: number | undefined } | undefined;
  return {
    get directory() {
      return directory;
    },
    get oldestPendingAtMs() {
      return oldest?.name === oldestPending() ? oldest?.atMs : undefined;
    },
    async run() {
      while (!signal.aborted) {
        directory = await readWalDirectory(dataDir);
        const name = oldestPending();
        oldest = name === undefined ? undefined : { name, atMs: await finishedAt(dataDir, name) };
        await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}
