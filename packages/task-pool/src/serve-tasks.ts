import { parentPort } from "node:worker_threads";
import { isSoarError } from "@soar/errors";
import type { WorkerFailure, WorkerReply, WorkerRequest } from "./worker-messages.ts";

/** What a task gives back, and the memory that moves to the asking thread instead of being copied. */
export interface TaskOutcome<Result> {
  readonly result: Result;
  readonly moves: readonly ArrayBuffer[];
}

/** Makes this thread answer the tasks of a `TaskPool`. Does nothing where it is no worker thread. */
export function serveTasks(run: (task: never) => TaskOutcome<unknown> | Promise<TaskOutcome<unknown>>): void {
  parentPort?.on("message", (request: WorkerRequest<never>) => {
    // Tasks that need no waiting are answered at once: the next one is only taken then.
    const reply = (id: number, outcome: TaskOutcome<unknown>): void =>
      parentPort?.postMessage({ id, result: outcome.result } satisfies WorkerReply<unknown>, outcome.moves);
    const refuse = (id: number, error: unknown): void =>
      parentPort?.postMessage({ id, failure: describe(error) } satisfies WorkerReply<unknown>, []);
    try {
      const outcome = run(request.task);
      if (!(outcome instanceof Promise)) reply(request.id, outcome);
      else outcome.then((later) => reply(request.id, later)).catch((error: unknown) => refuse(request.id, error));
    } catch (error) {
      refuse(request.id, error);
    }
  });
}

function describe(error: unknown): WorkerFailure {
  if (!(error instanceof Error))
    return { message: String(error), stack: undefined, code: undefined, hint: undefined, systemCode: undefined };
  const { message, stack } = error;
  if (isSoarError(error)) return { message, stack, code: error.code, hint: error.hint, systemCode: undefined };
  const systemCode = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return { message, stack, code: undefined, hint: undefined, systemCode };
}
