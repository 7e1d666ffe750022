import { watch, type FSWatcher } from "node:fs";
import { meansAbsent, systemErrorCode, unreadable } from "@soar/durable-files";
import { archiveStatusDirectory } from "../server-wal/archive-status.ts";

export interface WatchStatusOptions {
  readonly dataDir: string;
  /** How often to look when nothing is told: file systems over the network tell nothing. */
  readonly pollMs: number;
  readonly signal: AbortSignal;
}

/** At most so often, however fast PostgreSQL writes: one look serves many files. */
const SHORTEST_PAUSE_MS = 20;

/**
 * Calls `look` at once, whenever something changes in `archive_status`, and every `pollMs`, one call at a time, until the
 * signal aborts. Rejects with what `look` rejects with.
 */
export async function watchStatus(
  look: () => Promise<void>,
  { dataDir, pollMs, signal }: WatchStatusOptions,
): Promise<void> {
  let wake: (() => void) | undefined;
  let isDirty = false;
  const notice = (): void => {
    isDirty = true;
    wake?.();
  };
  const watcher = watchDirectory(archiveStatusDirectory(dataDir), notice);
  signal.addEventListener("abort", notice, { once: true });
  try {
    while (!signal.aborted) {
      isDirty = false;
      await look();
      await pause(SHORTEST_PAUSE_MS);
      if (!isDirty) await new Promise<void>((resolve) => (wake = armed(resolve, pollMs)));
      wake = undefined;
    }
  } finally {
    signal.removeEventListener("abort", notice);
    watcher?.close();
  }
}

/** Where the directory was removed, or the kernel has no watches left, polling goes on: a vanished directory fails `look`. */
function watchDirectory(directory: string, notice: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, notice);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch (error) {
    if (meansAbsent(error) || ["ENOSPC", "EMFILE"].includes(systemErrorCode(error) ?? "")) return undefined;
    throw unreadable(directory, error);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function armed(resolve: () => void, ms: number): () => void {
  const timer = setTimeout(resolve, ms);
  return () => {
    clearTimeout(timer);
    resolve();
  };
}
