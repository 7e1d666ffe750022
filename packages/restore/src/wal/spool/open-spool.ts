import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Owner, removeFile, replaceFile } from "@soar/durable-files";
import { removeTree } from "@soar/durable-files/directories";
import type { ObjectStore } from "@soar/storage";
import type { LineageTable } from "../lineage-table.ts";
import { FETCHING_SUFFIX, type SpoolPlace } from "../restore-command.ts";
import { fetchWalFile } from "../wal-fetch.ts";
import { FetchOrder } from "./fetch-order.ts";
import { createSpoolDirectory, spoolWindow } from "./spool-directory.ts";

export interface SpoolOptions {
  readonly dataDir: string;
  /** Who runs the server, and has to own what it takes. */
  readonly owner?: Owner | undefined;
  /** Segments fetched at once. */
  readonly jobs: number;
  /** Names of planned segments in the order of replay, up to the target. */
  readonly names: readonly string[];
  /** Of these, the ones that recovery asks for a second time. */
  readonly readTwice: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: (event: SpoolEvent) => void;
}

export type SpoolEvent =
  | { readonly type: "segment-ready"; readonly name: string }
  /** No reason to stop: the server asks for it itself and hears the reason. */
  | { readonly type: "prefetch-failed"; readonly name: string; readonly error: unknown }
  /** The spool cannot be used any more, and the server asks for everything itself. */
  | { readonly type: "prefetch-ended"; readonly error: unknown };

/** Segments that are fetched before recovery asks for them. */
export interface Spool extends SpoolPlace {
  /** Ends fetching and removes what was not taken. */
  close(): Promise<void>;
}

const POLL_MS = 20;
/** The spool survives nothing on purpose: what is not there is fetched by `restore_command`. */
const SYNC = "none";

/**
 * Fetches planned segments ahead of replay, in parallel and within bounds, and puts each one into the spool under its
 * final name only after size, digest and header were checked. Nothing depends on it: what is not there is fetched by
 * `restore_command` itself, so that the death of this process, whenever it comes, costs time and nothing else.
 */
export async function openSpool(store: ObjectStore, table: LineageTable, options: SpoolOptions): Promise<Spool> {
  const directory = await createSpoolDirectory(options.dataDir, options.owner);
  const order = new FetchOrder({ ...options, window: await spoolWindow(directory, table.segmentSize) });
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const filling = fill(store, table, { ...options, directory, order, signal }).catch((error: unknown) =>
    options.onEvent?.({ type: "prefetch-ended", error }),
  );
  return {
    directory,
    processId: process.pid,
    async close() {
      stop.abort();
      await filling;
      await removeTree(directory, { sync: SYNC, owner: options.owner });
    },
  };
}

interface Filling extends SpoolOptions {
  readonly directory: string;
  readonly order: FetchOrder;
  readonly signal: AbortSignal;
}

async function fill(store: ObjectStore, table: LineageTable, filling: Filling): Promise<void> {
  const { directory, order, signal, jobs } = filling;
  const running = new Set<Promise<void>>();
  while (!signal.aborted && !order.isDone) {
    await noteTaken(directory, order);
    for (let name = nextOf(order, running.size < jobs); name !== undefined; name = nextOf(order, running.size < jobs)) {
      const fetching: Promise<void> = fetchOne(store, table, name, filling).finally(() => running.delete(fetching));
      running.add(fetching);
    }
    await Promise.race([...running, delay(POLL_MS)]);
  }
  await Promise.all(running);
}

/** What was known to be ready before the look, and is gone, has been taken. */
async function noteTaken(directory: string, order: FetchOrder): Promise<void> {
  const { ready } = order;
  const present = new Set(await readdir(directory));
  for (const name of ready) if (!present.has(name)) order.taken(name);
}

function nextOf(order: FetchOrder, isFree: boolean): string | undefined {
  return isFree ? order.next() : undefined;
}

async function fetchOne(
  store: ObjectStore,
  table: LineageTable,
  name: string,
  { directory, order, owner, signal, onEvent }: Filling,
): Promise<void> {
  const path = join(directory, name);
  const mark = `${path}${FETCHING_SUFFIX}`;
  try {
    await replaceFile(mark, "", { mode: 0o600, owner, sync: SYNC });
    await fetchWalFile(store, table, name, path, { signal, owner });
    order.fetched(name);
  } catch (error) {
    order.failed(name);
    if (!signal.aborted) onEvent?.({ type: "prefetch-failed", name, error });
    return;
  } finally {
    await removeFile(mark, { sync: SYNC });
  }
  onEvent?.({ type: "segment-ready", name });
}
