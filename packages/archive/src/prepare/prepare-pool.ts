import { Worker } from "node:worker_threads";
import { SoarError } from "@soar/errors";
import type { PrepareFailure, PrepareReply, PrepareRequest, PrepareResults, PrepareTask } from "./prepare-task.ts";

/**
 * Threads that read, check, hash and compress WAL files, so that the thread that talks to PostgreSQL and to the store is
 * always free. They start with the first task, stay as long as there is work, and end when idle: a quiet server's
 * archiver holds no memory for them. A thread that dies fails its own task only.
 */
export interface PreparePool {
  run<Kind extends keyof PrepareResults>(
    task: PrepareTask & { kind: Kind },
    moves?: readonly ArrayBuffer[],
  ): Promise<PrepareResults[Kind]>;
  /** Stops all threads; tasks that are not finished reject with `ABORTED`. */
  close(): Promise<void>;
}

export interface PreparePoolOptions {
  readonly workers: number;
  /** A thread without work ends after this time. */
  readonly idleMs?: number;
}

interface Job {
  readonly task: PrepareTask;
  readonly moves: readonly ArrayBuffer[];
  readonly resolve: (result: PrepareResults[keyof PrepareResults]) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  job: Job | undefined;
  idleTimer: NodeJS.Timeout | undefined;
}

const IDLE_MS = 5_000;

export function createPreparePool({ workers, idleMs = IDLE_MS }: PreparePoolOptions): PreparePool {
  const threads = new Set<Thread>();
  const queue: Job[] = [];
  let isClosed = false;

  const dispatch = (): void => {
    while (queue.length > 0) {
      const thread =
        [...threads].find(({ job }) => job === undefined) ?? (threads.size < workers ? start() : undefined);
      const job = thread === undefined ? undefined : queue.shift();
      if (thread === undefined || job === undefined) return;
      clearTimeout(thread.idleTimer);
      thread.job = job;
      thread.worker.ref();
      thread.worker.postMessage({ id: 0, task: job.task } satisfies PrepareRequest, [...job.moves]);
    }
  };

  const start = (): Thread => {
    const thread: Thread = { worker: startWorker(), job: undefined, idleTimer: undefined };
    const lose = (cause: Error): void => {
      if (!threads.delete(thread)) return;
      clearTimeout(thread.idleTimer);
      thread.job?.reject(new Error(`a thread that prepares WAL died: ${cause.message}`, { cause }));
      dispatch();
    };
    thread.worker.on("message", (reply: PrepareReply) => finish(thread, reply));
    thread.worker.on("error", lose);
    thread.worker.on("exit", (status) => lose(new Error(`it exited with status ${status}`)));
    threads.add(thread);
    return thread;
  };

  const finish = (thread: Thread, reply: PrepareReply): void => {
    const job = thread.job;
    thread.job = undefined;
    // Only a thread that has something to do keeps the process alive.
    thread.worker.unref();
    thread.idleTimer = setTimeout(() => retire(thread), idleMs).unref();
    if ("result" in reply) job?.resolve(reply.result);
    else job?.reject(revive(reply.failure));
    dispatch();
  };

  const retire = (thread: Thread): void => {
    if (thread.job === undefined && threads.delete(thread)) void thread.worker.terminate();
  };

  return {
    run(task, moves = []) {
      if (isClosed) return Promise.reject(closed());
      return new Promise((resolve, reject) => {
        // A thread answers a task with the result of its kind; the types cannot follow that across threads.
        queue.push({ task, moves, resolve: resolve as Job["resolve"], reject });
        dispatch();
      });
    },
    async close() {
      isClosed = true;
      const running = [...threads];
      threads.clear();
      await Promise.all(running.map(({ worker }) => worker.terminate()));
      for (const { reject } of [...running.flatMap((thread) => thread.job ?? []), ...queue.splice(0)]) reject(closed());
    },
  };
}

function startWorker(): Worker {
  // A bundler does not see through this expression: bundles carry the worker as an entry of their own.
  const url = new URL(import.meta.url.endsWith(".ts") ? "./prepare-worker.ts" : "./prepare-worker.js", import.meta.url);
  // A worker holds buffers, not objects: without the limit each would grow its young generation to some 40 MB.
  return new Worker(url, { name: "soar-prepare", resourceLimits: { maxYoungGenerationSizeMb: 8 } });
}

function closed(): SoarError {
  return new SoarError("ABORTED", "unable to prepare a WAL file: the archiver is stopping");
}

function revive({ message, stack, code, hint }: PrepareFailure): Error {
  if (code !== undefined) return new SoarError(code, message, { hint });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
