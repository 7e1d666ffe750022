import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { MemoryBudget } from "@soar/task-pool";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { PushedWal } from "../push-wal.ts";
import type { WalPusher } from "../wal-pusher.ts";
import { createAcknowledgements } from "./acknowledgements.ts";
import { ArchiveQueue, type ArchiveQueueOptions } from "./archive-queue.ts";
import type { ArchiverEvent } from "./archiver-event.ts";

let directory: string;
let dataDir: string;
let spoolDir: string;
let events: ArchiverEvent[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-queue-"));
  [dataDir, spoolDir, events] = [join(directory, "data"), join(directory, "spool"), []];
  mkdirSync(join(dataDir, "pg_wal", "archive_status"), { recursive: true });
});
afterEach(() => rmSync(directory, { recursive: true }));

const name = (index: number): string => `0000000100000000000000${index.toString(16).padStart(2, "0")}`.toUpperCase();
const status = (file: string): string => join(dataDir, "pg_wal", "archive_status", file);
function finish(...files: string[]): void {
  for (const file of files) {
    writeFileSync(join(dataDir, "pg_wal", file), file);
    writeFileSync(status(`${file}.ready`), "");
  }
}
const acknowledged = (): string[] => readdirSync(join(spoolDir, "ack"));

/** A bucket whose puts end when the test says so. */
function heldPusher(): WalPusher & { readonly started: string[]; end(file: string, error?: Error): void } {
  const held = new Map<string, { resolve: (pushed: PushedWal) => void; reject: (error: Error) => void }>();
  const started: string[] = [];
  const budget = new MemoryBudget(1024);
  return {
    started,
    reserve: (size, signal) => budget.take(size, signal),
    push(_path, file, { signal }) {
      started.push(file);
      return new Promise((resolve, reject) => {
        held.set(file, { resolve, reject });
        signal.addEventListener("abort", () => reject(new Error("aborted")));
      });
    },
    end(file, error) {
      const object = { name: file, key: `wal/${file}.zst`, codec: "zstd", size: 1 } as const;
      const identity = { systemIdentifier: "7", postgresMajor: 15, walSegmentSize: 2 ** 20 };
      if (error === undefined) held.get(file)?.resolve({ outcome: "archived", object, size: 2, identity });
      else held.get(file)?.reject(error);
    },
    close: () => Promise.resolve(),
  };
}

async function queueOf(pusher: WalPusher, more: Partial<ArchiveQueueOptions> = {}): Promise<ArchiveQueue> {
  const binding = {
    envFile: "-",
    bucket: { value: "s3://b", isExplicit: false },
    endpoint: { value: "", isExplicit: false },
  };
  const acknowledgements = createAcknowledgements({ spoolDir, binding, logsArchive: false });
  await acknowledgements.clear();
  return new ArchiveQueue({
    dataDir,
    pusher,
    acknowledgements,
    jobs: 2,
    timeoutMs: 5_000,
    retry: { random: () => 0 },
    onEvent: (event) => events.push(event),
    ...more,
  });
}

test("starts in PostgreSQL's order, history first", async () => {
  finish(name(3), name(1), name(2), "00000002.history");
  const pusher = heldPusher();
  const queue = await queueOf(pusher, { jobs: 1 });
  await queue.scan();
  const order = ["00000002.history", name(1), name(2), name(3)];
  for (const [index, file] of order.entries()) {
    await expect.poll(() => pusher.started).toEqual(order.slice(0, index + 1));
    pusher.end(file);
  }
  await queue.stop(1_000);
});

test("never more are in flight than the jobs allow, and a free place goes to the next in order", async () => {
  finish(name(3), name(1), name(2), "00000002.history");
  const pusher = heldPusher();
  const queue = await queueOf(pusher);
  await queue.scan();
  // These two start at once: which of them reaches the pusher first is up to the file system.
  await expect.poll(() => [...pusher.started].sort()).toEqual([name(1), "00000002.history"]);
  pusher.end(name(1));
  await expect.poll(() => pusher.started.slice(2)).toEqual([name(2)]);
  pusher.end("00000002.history");
  await expect.poll(() => pusher.started.slice(3)).toEqual([name(3)]);
  expect(queue.state.pending).toEqual([name(2), name(3)]);
  pusher.end(name(2));
  pusher.end(name(3));
  await queue.stop(1_000);
  expect(acknowledged().sort()).toEqual([name(1), name(2), name(3), "00000002.history"].sort());
});

test("order is kept through an outage: what failed comes first again", async () => {
  finish(name(1), name(2), name(3));
  const pusher = heldPusher();
  const queue = await queueOf(pusher);
  await queue.scan();
  await expect.poll(() => pusher.started.length).toBe(2);
  const down = new SoarError("STORE_UNREACHABLE", "unable to reach it", { retryable: false });
  pusher.end(name(2), down);
  pusher.end(name(1), down);
  await expect.poll(() => pusher.started.slice(2).sort()).toEqual([name(1), name(2)]);
  pusher.end(name(1));
  pusher.end(name(2));
  await expect.poll(() => pusher.started.slice(4)).toEqual([name(3)]);
  pusher.end(name(3));
  await queue.stop(1_000);
  expect(events.filter(({ type }) => type === "recovered")).toHaveLength(1);
});

test("an acknowledgement goes when PostgreSQL was answered, also when the file is gone without a .done", async () => {
  finish(name(1), name(2));
  const pusher = heldPusher();
  const queue = await queueOf(pusher);
  await queue.scan();
  await expect.poll(() => pusher.started.length).toBe(2);
  pusher.end(name(1));
  pusher.end(name(2));
  await expect.poll(acknowledged).toEqual([name(1), name(2)]);
  renameSync(status(`${name(1)}.ready`), status(`${name(1)}.done`));
  rmSync(status(`${name(2)}.ready`));
  await queue.scan();
  expect(acknowledged()).toEqual([]);
  expect(queue.state).toEqual({ pending: [], archived: [name(1)] });
  await queue.stop(0);
});

test("a file that changes while it is archived is not acknowledged, and its caller is told", async () => {
  finish(name(1));
  const pusher = heldPusher();
  const queue = await queueOf(pusher);
  const answer = queue.request(name(1));
  await expect.poll(() => pusher.started.length).toBe(1);
  appendFileSync(join(dataDir, "pg_wal", name(1)), "more");
  pusher.end(name(1));
  await expect(answer).rejects.toMatchObject({
    code: "WAL_INVALID",
    message: expect.stringContaining("changed while it was archived") as string,
  });
  await queue.stop(0);
});

test("a caller whose file was acknowledged, but is another one now, waits for that one", async () => {
  finish(name(1));
  const pusher = heldPusher();
  const queue = await queueOf(pusher);
  await queue.scan();
  await expect.poll(() => pusher.started.length).toBe(1);
  pusher.end(name(1));
  await expect.poll(acknowledged).toEqual([name(1)]);
  expect(await queue.request(name(1))).toEqual({ outcome: "archived" });
  expect(pusher.started).toHaveLength(1);
  writeFileSync(join(dataDir, "pg_wal", name(1)), "another");
  const answer = queue.request(name(1));
  await expect.poll(() => pusher.started.length).toBe(2);
  pusher.end(name(1), new SoarError("WAL_CONFLICT", "unable to archive it: other bytes"));
  await expect(answer).rejects.toMatchObject({ code: "WAL_CONFLICT" });
  expect(acknowledged()).toEqual([]);
  await queue.stop(0);
});

test("a caller waits through an outage, and is told of it when its time is over", async () => {
  finish(name(1));
  const pusher = heldPusher();
  const queue = await queueOf(pusher, { timeoutMs: 300 });
  const answer = queue.request(name(1));
  await expect.poll(() => pusher.started.length).toBe(1);
  pusher.end(name(1), new SoarError("STORE_BUSY", "unable to put it: 503"));
  await expect(answer).rejects.toMatchObject({ code: "STORE_BUSY", message: "unable to put it: 503" });
  await queue.stop(0);
});

test("a file that is not there is a failure that its caller is told at once", async () => {
  const queue = await queueOf(heldPusher());
  await expect(queue.request(name(9))).rejects.toMatchObject({
    code: "FILE_UNREADABLE",
    message: expect.stringContaining("there is no such file") as string,
  });
  await queue.stop(0);
  await expect(queue.request(name(9))).rejects.toMatchObject({ code: "ABORTED" });
});
