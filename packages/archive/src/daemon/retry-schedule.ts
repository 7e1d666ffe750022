import { concernsStore } from "./failure-scope.ts";
import { createBackoff, type Backoff, type BackoffOptions } from "../full-jitter.ts";

/** Pauses after failures: of the store for everything, and of a file for that file alone. Memory is bounded by the files in sight. */
export interface RetrySchedule {
  /** When this file may be tried again, on the clock of `now`; 0 for at once. */
  dueAt(name: string): number;
  failed(name: string, error: unknown): { readonly attempts: number; readonly retryInMs: number };
  /** Gives what the outage was that ended with this success, if there was one. */
  succeeded(name: string): { readonly attempts: number; readonly outageMs: number } | undefined;
  /** Somebody waits for this file: no pause for it. */
  hurry(name: string): void;
  /** Forgets files that are gone. */
  retain(isThere: (name: string) => boolean): void;
}

export interface RetryScheduleOptions extends Partial<BackoffOptions> {
  /** Milliseconds; monotonic. */
  readonly now?: () => number;
}

const DEFAULTS: BackoffOptions = { baseMs: 500, capMs: 30_000 };

export function createRetrySchedule({
  now = () => performance.now(),
  ...rest
}: RetryScheduleOptions = {}): RetrySchedule {
  const bounds = { ...DEFAULTS, ...rest };
  const store = { backoff: createBackoff(bounds), dueAt: 0, failedSince: 0 };
  const files = new Map<string, { readonly backoff: Backoff; dueAt: number }>();
  return {
    dueAt: (name) => Math.max(store.dueAt, files.get(name)?.dueAt ?? 0),
    failed(name, error) {
      if (concernsStore(error)) {
        if (store.backoff.attempts === 0) store.failedSince = now();
        const retryInMs = store.backoff.failed();
        store.dueAt = now() + retryInMs;
        return { attempts: store.backoff.attempts, retryInMs };
      }
      const file = files.get(name) ?? { backoff: createBackoff(bounds), dueAt: 0 };
      files.set(name, file);
      const retryInMs = file.backoff.failed();
      file.dueAt = now() + retryInMs;
      return { attempts: file.backoff.attempts, retryInMs };
    },
    succeeded(name) {
      files.delete(name);
      const { attempts } = store.backoff;
      if (attempts === 0) return undefined;
      store.backoff.succeeded();
      store.dueAt = 0;
      return { attempts, outageMs: now() - store.failedSince };
    },
    hurry(name) {
      store.dueAt = 0;
      const file = files.get(name);
      if (file !== undefined) file.dueAt = 0;
    },
    retain(isThere) {
      for (const name of files.keys()) if (!isThere(name)) files.delete(name);
    },
  };
}
