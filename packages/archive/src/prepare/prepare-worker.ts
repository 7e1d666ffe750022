import { parentPort } from "node:worker_threads";
import { isSoarError } from "@soar/errors";
import { runPrepareTask } from "./run-prepare-task.ts";
import type { PrepareFailure, PrepareReply, PrepareRequest } from "./prepare-task.ts";

// Entry point of the threads of `createPreparePool`. Imported anywhere else it does nothing.
parentPort?.on("message", ({ id, task }: PrepareRequest) => {
  runPrepareTask(task).then(
    ({ result, moves }) => parentPort?.postMessage({ id, result } satisfies PrepareReply, [...moves]),
    (error: unknown) => parentPort?.postMessage({ id, failure: describe(error) } satisfies PrepareReply, []),
  );
});

function describe(error: unknown): PrepareFailure {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined, code: undefined, hint: undefined };
  const { message, stack } = error;
  return {
    message,
    stack,
    code: isSoarError(error) ? error.code : undefined,
    hint: isSoarError(error) ? error.hint : undefined,
  };
}
