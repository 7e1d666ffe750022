import { parentPort } from "node:worker_threads";
import { isSoarError } from "@soar/errors";
import { runTask } from "./pool/run-task.ts";
import type { TaskFailure, TaskReply, TaskRequest } from "./pool/tasks.ts";

// Entry point of the worker threads of `createCodecPool`. Imported anywhere else it does nothing.
parentPort?.on("message", (request: TaskRequest) => {
  const { reply, moves } = answer(request);
  parentPort?.postMessage(reply, moves);
});

function answer({ id, task }: TaskRequest): { reply: TaskReply; moves: readonly ArrayBuffer[] } {
  try {
    const { result, moves } = runTask(task);
    return { reply: { id, result }, moves };
  } catch (error) {
    return { reply: { id, failure: describe(error) }, moves: [] };
  }
}

function describe(error: unknown): TaskFailure {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined, code: undefined, hint: undefined, systemCode: undefined };
  const { message, stack } = error;
  if (isSoarError(error)) return { message, stack, code: error.code, hint: error.hint, systemCode: undefined };
  const systemCode = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return { message, stack, code: undefined, hint: undefined, systemCode };
}
