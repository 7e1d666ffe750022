import { SoarError } from "@soar/errors";
import type { PutWalOutcome } from "@soar/repository/wal";

export interface ArchiveAnswer {
  readonly outcome: PutWalOutcome["outcome"] | "given up";
  /** What has to stand in the server's log. */
  readonly warning?: string | undefined;
}

interface Waiter {
  readonly resolve: (answer: ArchiveAnswer) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
}

/** Callers of `archive_command` that wait until their file is archived. */
export interface ArchiveRequests {
  /** Rejects after `timeoutMs` with the last failure that was told, because PostgreSQL's archiver must not hang. */
  wait(name: string, timeoutMs: number): Promise<ArchiveAnswer>;
  names(): readonly string[];
  answer(name: string, answer: ArchiveAnswer): void;
  /** Tells of a failure; the callers are answered with it at once when trying again by itself cannot help. */
  fail(name: string, error: unknown, options: { readonly isFinal: boolean }): void;
  failAll(error: unknown): void;
}

export function createArchiveRequests(): ArchiveRequests {
  const waiting = new Map<string, Set<Waiter>>();
  const lastFailure = new Map<string, unknown>();
  const settle = (name: string, act: (waiter: Waiter) => void): void => {
    const waiters = waiting.get(name) ?? new Set();
    waiting.delete(name);
    lastFailure.delete(name);
    for (const waiter of waiters) {
      clearTimeout(waiter.timer);
      act(waiter);
    }
  };
  const expire = (name: string, waiter: Waiter, timeoutMs: number): void => {
    waiter.reject(lastFailure.get(name) ?? tooSlow(name, timeoutMs));
    const waiters = waiting.get(name);
    waiters?.delete(waiter);
    if (waiters?.size !== 0) return;
    waiting.delete(name);
    lastFailure.delete(name);
  };
  return {
    wait(name, timeoutMs) {
      return new Promise((resolve, reject) => {
        const waiter: Waiter = { resolve, reject, timer: setTimeout(() => expire(name, waiter, timeoutMs), timeoutMs) };
        waiting.set(name, (waiting.get(name) ?? new Set()).add(waiter));
      });
    },
    names: () => [...waiting.keys()],
    answer: (name, answer) => settle(name, ({ resolve }) => resolve(answer)),
    fail(name, error, { isFinal }) {
      if (isFinal) settle(name, ({ reject }) => reject(error));
      else if (waiting.has(name)) lastFailure.set(name, error);
    },
    failAll(error) {
      for (const name of waiting.keys()) settle(name, ({ reject }) => reject(error));
    },
  };
}

function tooSlow(name: string, timeoutMs: number): SoarError {
  return new SoarError("STORE_UNREACHABLE", `unable to archive '${name}' within ${Math.round(timeoutMs / 1000)} s`, {
    hint: "The archiver goes on trying, and PostgreSQL calls again; soar-wal-archive status shows what it is doing.",
  });
}
