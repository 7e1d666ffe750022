import { stat } from "node:fs/promises";
import { endWithin, type Config } from "@soar/app-kit";
import type { archiveWalFile } from "@soar/archive";
import type { ArchiverEvent } from "@soar/archive/daemon";
import { messageOf } from "@soar/errors";
import type { ObjectStore } from "@soar/storage";
import type { archiveOptions } from "./options.ts";
import type { PushRecorder } from "./record-push.ts";
import { storeAhead } from "./store-ahead.ts";

/** The file of the call, for which the bucket has vouched, and the way to the bucket. */
export interface StoredOwn {
  readonly store: ObjectStore;
  readonly done: Awaited<ReturnType<typeof archiveWalFile>>;
  /** How long it took. */
  readonly durationMs: number;
}

interface BesidesOptions {
  readonly config: Config<typeof archiveOptions>;
  readonly path: string;
  readonly name: string;
  readonly recorder: PushRecorder;
  readonly signal: AbortSignal;
  readonly toolVersion: string;
  readonly envFile: string | undefined;
}

/** PostgreSQL waits for an answer that is known: longer than what looks ahead gives itself, which only a file system that hangs takes. */
const AHEAD_MS = 6_000;
/** What reading the bucket's facts may take, and the counters. */
const RECORD_MS = 4_000;
/** For what ends by itself when it is told to. */
const GRACE_MS = 500;

/**
 * What a call does besides its own file once that is stored: what PostgreSQL asks for next, counters, metrics. Never rejects, and ends
 * within seconds: what waits for a file system that hangs is abandoned. Gives what has to stand in the server's log.
 */
export async function doBesides(
  { store, done, durationMs }: StoredOwn,
  { config, path, name, recorder, signal, ...program }: BesidesOptions,
): Promise<readonly string[]> {
  const { spool } = config;
  const ahead = await orDoubt("look ahead of PostgreSQL", { signal, ms: AHEAD_MS }, async (within) => {
    if (done.outcome === "given up") return undefined;
    await requireAnswer(spool);
    return await storeAhead(store, { path, name, durationMs }, config, { ...program, signal: within });
  });
  const recorded = await orDoubt("bring the metrics up to date", { signal, ms: RECORD_MS }, async () => {
    await requireAnswer(spool);
    const warning = await recorder.finish([eventOf(name, done, durationMs), ...(ahead.value?.archived ?? [])], store);
    await store.close();
    return warning;
  });
  return [ahead.doubt ?? ahead.value?.warning, recorded.doubt ?? recorded.value].filter((one) => one !== undefined);
}

/** A spool that hangs is found here, where it can be abandoned: some of what follows asks for it in a way that holds up everything. */
async function requireAnswer(spool: string): Promise<void> {
  await stat(spool).catch(() => undefined);
}

function eventOf(name: string, done: StoredOwn["done"], durationMs: number): ArchiverEvent {
  if (done.outcome === "given up") return { type: "given-up", name, gap: done.gap };
  const { outcome, object, size } = done;
  return { type: "archived", name, outcome, sizeBytes: size, storedBytes: object.size, durationMs };
}

async function orDoubt<T>(
  what: string,
  { signal: stop, ms }: { readonly signal: AbortSignal; readonly ms: number },
  work: (within: AbortSignal) => Promise<T>,
): Promise<{ readonly value?: T; readonly doubt?: string }> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(ms)]);
  try {
    return { value: await endWithin(work(signal), { signal, graceMs: GRACE_MS, suspect: "a file system" }) };
  } catch (error) {
    return { doubt: `unable to ${what}: ${messageOf(error)}` };
  }
}
