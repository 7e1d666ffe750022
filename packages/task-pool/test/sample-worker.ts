import { setImmediate as turn } from "node:timers/promises";
import { isMainThread, threadId } from "node:worker_threads";
import { SoarError } from "@soar/errors";
import { memoryOf, serveTasks, type TaskOutcome } from "@soar/task-pool";

export type SampleTask =
  | { readonly kind: "fill"; readonly bytes: Uint8Array; readonly value: number }
  /** Waits for some turns of the event loop, and tells how many tasks were under way in the thread meanwhile. */
  | { readonly kind: "wait"; readonly turns: number }
  | { readonly kind: "fail"; readonly how: "soar" | "system" | "bug" | "text" | "later" | "unsendable" }
  | { readonly kind: "die" }
  /** Fills the processor until a value is stored there by another thread. */
  | { readonly kind: "hold"; readonly until: Int32Array };

export interface SampleResult {
  readonly thread: number;
  readonly bytes?: Uint8Array;
  readonly atOnce?: number;
}

let underWay = 0;

function run(task: SampleTask): TaskOutcome<unknown> | Promise<TaskOutcome<unknown>> {
  switch (task.kind) {
    case "fill":
      task.bytes.fill(task.value);
      return { result: { thread: threadId, bytes: task.bytes }, moves: memoryOf(task.bytes) };
    case "wait":
      return wait(task.turns);
    case "fail":
      return fail(task.how);
    case "die":
      return process.exit(3);
    case "hold":
      while (Atomics.load(task.until, 0) === 0) Atomics.wait(task.until, 0, 0, 1000);
      return { result: { thread: threadId }, moves: [] };
  }
}

async function wait(turns: number): Promise<TaskOutcome<SampleResult>> {
  let atOnce = ++underWay;
  for (let count = 0; count < turns; count++) {
    await turn();
    atOnce = Math.max(atOnce, underWay);
  }
  underWay--;
  return { result: { thread: threadId, atOnce }, moves: [] };
}

function fail(how: Extract<SampleTask, { kind: "fail" }>["how"]): TaskOutcome<unknown> | Promise<never> {
  if (how === "soar") throw new SoarError("DISK_FULL", "unable to write", { hint: "Make room." });
  if (how === "system") throw Object.assign(new Error("no space"), { code: "ENOSPC" });
  if (how === "later") return Promise.reject(new SoarError("WAL_INVALID", "not a segment"));
  // oxlint-disable-next-line no-throw-literal -- foreign code does
  if (how === "text") throw "only words";
  if (how === "unsendable") return { result: () => how, moves: [] };
  throw new TypeError("a bug");
}

if (!isMainThread) serveTasks(run);
