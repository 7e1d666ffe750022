import { execFile } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { isSoarError } from "@soar/errors";
import { TaskPool, type TaskPoolOptions } from "@soar/task-pool";
import { expect, onTestFinished, test } from "vitest";
import type { SampleResult, SampleTask } from "./sample-worker.ts";

const WORKER = new URL("./sample-worker.ts", import.meta.url);

interface TestPool extends TaskPool<SampleTask, SampleResult> {
  readonly started: readonly Worker[];
}

function openPool(options: TaskPoolOptions): TestPool {
  const started: Worker[] = [];
  const start = (): Worker => {
    const worker = new Worker(WORKER);
    started.push(worker);
    return worker;
  };
  const pool = Object.assign(new TaskPool<SampleTask, SampleResult>(start, options), { started });
  onTestFinished(() => pool.close());
  return pool;
}

const run = (pool: TestPool, task: SampleTask, signal?: AbortSignal): Promise<SampleResult> =>
  pool.run(task, task.kind === "fill" ? [task.bytes.buffer as ArrayBuffer] : [], signal);

/** Keeps threads busy until it is released. */
function hold(): { readonly task: SampleTask; release(): void } {
  const until = new Int32Array(new SharedArrayBuffer(4));
  return {
    task: { kind: "hold", until },
    release() {
      Atomics.store(until, 0, 1);
      Atomics.notify(until, 0);
    },
  };
}

test("memory moves to the thread and back", async () => {
  const pool = openPool({ workers: 1 });
  const sent = new Uint8Array(1000);
  const running = run(pool, { kind: "fill", bytes: sent, value: 7 });
  expect(sent.byteLength).toBe(0);
  expect((await running).bytes).toEqual(new Uint8Array(1000).fill(7));
});

test("errors keep code, hint, system code and stack on their way", async () => {
  const pool = openPool({ workers: 1 });
  const failure = (how: Extract<SampleTask, { kind: "fail" }>["how"]): Promise<unknown> =>
    run(pool, { kind: "fail", how }).catch((error: unknown) => error);
  const soar = await failure("soar");
  expect(isSoarError(soar)).toBe(true);
  expect(soar).toMatchObject({ code: "DISK_FULL", message: "unable to write", hint: "Make room." });
  expect(await failure("system")).toMatchObject({ code: "ENOSPC", message: "no space" });
  expect(await failure("later")).toMatchObject({ code: "WAL_INVALID" });
  expect(await failure("bug")).toMatchObject({
    message: "a bug",
    stack: expect.stringContaining("sample-worker") as string,
  });
  expect(await failure("text")).toMatchObject({ message: "only words" });
  expect(await failure("unsendable")).toMatchObject({
    message: expect.stringContaining("could not be cloned") as string,
  });
});

test("a task that waits meets another one in its thread only when two are allowed", async () => {
  const tasks = (pool: TestPool): Promise<SampleResult[]> =>
    Promise.all(Array.from({ length: 6 }, () => run(pool, { kind: "wait", turns: 200 })));
  const alone = await tasks(openPool({ workers: 1, tasksPerWorker: 1 }));
  expect(alone.map(({ atOnce }) => atOnce)).toEqual(Array(6).fill(1));
  const paired = await tasks(openPool({ workers: 1 }));
  expect(Math.max(...paired.map(({ atOnce = 0 }) => atOnce))).toBe(2);
});

test("a thread that runs is used before another one is started, which is used when all have work", async () => {
  const pool = openPool({ workers: 3 });
  for (let count = 0; count < 4; count++) await run(pool, { kind: "wait", turns: 0 });
  expect(pool.started.length).toBe(1);
  const { task, release } = hold();
  const held = [run(pool, task), run(pool, task), run(pool, task)];
  expect(pool.started.length).toBe(3);
  release();
  expect(new Set((await Promise.all(held)).map(({ thread }) => thread)).size).toBe(3);
});

test("a thread that runs is used before one that ended is replaced", async () => {
  const pool = openPool({ workers: 2 });
  const { task, release } = hold();
  const [died, held] = [run(pool, { kind: "die" }).catch(() => "died"), run(pool, task)];
  expect(await died).toBe("died");
  release();
  const { thread } = await held;
  expect((await run(pool, { kind: "wait", turns: 0 })).thread).toBe(thread);
});

test("a thread without work ends, and the next task starts another one", async () => {
  const pool = openPool({ workers: 1, idleMs: 20 });
  const first = await run(pool, { kind: "wait", turns: 0 });
  await once(pool.started[0] as Worker, "exit");
  const second = await run(pool, { kind: "wait", turns: 0 });
  expect(second.thread).not.toBe(first.thread);
  expect(pool.started.length).toBe(2);
});

test("a thread with work does not end, however long that takes", async () => {
  const pool = openPool({ workers: 1, idleMs: 1 });
  await run(pool, { kind: "wait", turns: 0 });
  const { task, release } = hold();
  const held = run(pool, task);
  // Timers fire in order: that of the idle thread, which is not wanted any more, would have fired before this one.
  await delay(20);
  release();
  await held;
  expect(pool.started.length).toBe(1);
});

test("a thread that dies fails its own tasks, and the others go on", async () => {
  const pool = openPool({ workers: 2, tasksPerWorker: 1 });
  const { task, release } = hold();
  const held = run(pool, task);
  await expect(run(pool, { kind: "die" })).rejects.toThrow("a worker thread died: it exited with status 3");
  const after = await run(pool, { kind: "wait", turns: 0 });
  release();
  expect((await held).thread).not.toBe(after.thread);
  expect(pool.started.length).toBe(3);
});

test("a task that has not begun is dropped when its signal aborts, and one that has begun is finished", async () => {
  const pool = openPool({ workers: 1, tasksPerWorker: 1 });
  const stop = new AbortController();
  const { task, release } = hold();
  const begun = run(pool, task, stop.signal);
  const waiting = run(pool, { kind: "wait", turns: 0 }, stop.signal);
  stop.abort();
  await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
  release();
  expect(await begun).toMatchObject({ thread: expect.any(Number) as number });
  await expect(run(pool, { kind: "wait", turns: 0 }, stop.signal)).rejects.toMatchObject({ code: "ABORTED" });
});

test("closing ends what runs and what waits with ABORTED, when its thread has ended", async () => {
  const pool = openPool({ workers: 1 });
  const outcomes = Array.from({ length: 4 }, () =>
    run(pool, { kind: "wait", turns: Infinity }).catch((error: unknown) => error),
  );
  await pool.close();
  expect(pool.started.map(({ threadId }) => threadId)).toEqual([-1]);
  for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ code: "ABORTED" });
  await expect(run(pool, { kind: "wait", turns: 0 })).rejects.toMatchObject({ code: "ABORTED" });
});

test("neither a thread without work nor a task that cannot be sent keeps the process alive", async () => {
  const script = `
    import { Worker } from "node:worker_threads";
    import { TaskPool } from "@soar/task-pool";
    const start = () => new Worker(new URL(${JSON.stringify(WORKER.href)}), { execArgv: ["--conditions=soar-source"] });
    const [idle, unused] = [1, 2].map(() => new TaskPool(start, { workers: 1, idleMs: 60_000 }));
    console.log(typeof (await idle.run({ kind: "wait", turns: 0 }, [], undefined)).thread);
    await unused.run({ kind: "wait", words: () => {} }, [], undefined).catch((error) => console.log(error.message));
  `;
  const child = promisify(execFile)(
    process.execPath,
    ["--conditions=soar-source", "--input-type=module", "--eval", script],
    { cwd: new URL("..", import.meta.url), timeout: 30_000 },
  );
  expect((await child).stdout.split("\n")).toEqual([
    "number",
    "unable to hand a task to a worker thread: its memory cannot be moved",
    "",
  ]);
});
