import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeDirectory, moveEntry, type Owner, removeFile, replaceFile } from "@soar/durable-files";
import { openTrustedFile } from "@soar/durable-files/reading";
import { formatHistoryFileName } from "@soar/pg-tools";
import { quoteForShell } from "@soar/programs";
import type { ChainSegment } from "@soar/repository/chain";
import type { ObjectStore } from "@soar/storage";
import { lineageTableOf } from "../wal/lineage-table.ts";
import { ABSENT_STATUS } from "../wal/restore-command.ts";
import type { RestorePlan } from "../plan/plan.ts";
import { segmentsUntil } from "../plan/segments-until.ts";
import { fetchWalFile } from "../wal/wal-fetch.ts";
import { createReplayGuard } from "./replay-guard.ts";

export interface WalFeedOptions {
  /** Empty directory on the file system of the data directory. */
  readonly directory: string;
  readonly owner: Owner | undefined;
  /** Segments fetched at once, and twice as many held ready. */
  readonly jobs: number;
  readonly signal: AbortSignal;
}

export interface WalFeed {
  /** Words of a command that delivers what it is asked for: for `restoreCommand`. */
  readonly program: readonly string[];
  /** Compressed bytes that were fetched. */
  readonly fetchedBytes: () => number;
  /** Why something could not be delivered: recovery then stops without knowing. */
  readonly failure: () => unknown;
  close(): Promise<void>;
}

const POLL_MS = 20;
/** Nothing of a scratch server is worth being found after a crash. */
const SCRATCH = { mode: 0o600, sync: "none" } as const;
const WANTED = "wanted.";
/** Is there as long as what is wanted may still come. */
const ALIVE = "alive";

/**
 * Delivers WAL to a scratch server out of a directory that this process keeps filled: a segment that is there costs
 * PostgreSQL one `mv`. Every segment is checked as always, and by the replay guard, before it can be taken. What was not
 * planned is absent; when this process ends or fails, recovery stops.
 */
export async function openWalFeed(store: ObjectStore, plan: RestorePlan, options: WalFeedOptions): Promise<WalFeed> {
  const { directory, owner } = options;
  await makeDirectory(directory, { ...SCRATCH, mode: 0o700, owner });
  const names = [...plan.chain.segments.map(({ name }) => name), ...historyNames(plan)];
  const script = join(directory, "deliver.sh");
  const own = { ...SCRATCH, owner };
  await replaceFile(join(directory, "planned"), names.map((name) => `${name}\n`).join(""), own);
  await replaceFile(join(directory, ALIVE), "", own);
  await replaceFile(script, deliveryScript(directory, process.pid), own);
  const stop = new AbortController();
  const feed = new Feed(store, plan, { ...options, signal: AbortSignal.any([options.signal, stop.signal]) });
  let failure: unknown;
  const running = feed.run().catch(async (error: unknown) => {
    if (stop.signal.aborted) return;
    failure = error;
    // Where the disk is full, this is possible and writing is not.
    await removeFile(join(directory, ALIVE), SCRATCH);
  });
  return {
    program: ["sh", script],
    fetchedBytes: () => feed.fetchedBytes,
    failure: () => failure,
    async close() {
      stop.abort();
      await running;
    },
  };
}

/** `recovery_target_timeline` makes PostgreSQL read the history of that timeline; every later one it asks for must be absent. */
function historyNames({ chain: { history } }: RestorePlan): string[] {
  return history.timeline === 1 ? [] : [formatHistoryFileName(history.timeline)];
}

/** Waits for the file as long as the process that fetches it lives. */
function deliveryScript(directory: string, processId: number): string {
  return `cd ${quoteForShell(directory)} || exit 126
target=$OLDPWD/$2
grep -qxF -e "$1" planned
case $? in 0) ;; 1) exit ${ABSENT_STATUS};; *) exit 126;; esac
while [ ! -e "$1" ]; do
  if [ ! -e ${ALIVE} ] || [ ! -e /proc/${processId} ]; then exit 126; fi
  : > "${WANTED}$1"
  sleep 0.05
done
mv "$1" "$target" || exit 126
`;
}

class Feed {
  readonly #store: ObjectStore;
  readonly #plan: RestorePlan;
  readonly #options: WalFeedOptions;
  /** What recovery will want, in this order. */
  readonly #ahead: ChainSegment[];
  readonly #guard;
  fetchedBytes = 0;

  constructor(store: ObjectStore, plan: RestorePlan, options: WalFeedOptions) {
    this.#store = store;
    this.#plan = plan;
    this.#options = options;
    this.#ahead = [...segmentsUntil(plan.chain, plan.resolved.stopLsn)];
    this.#guard = createReplayGuard(plan);
  }

  async run(): Promise<void> {
    const { directory, jobs, signal } = this.#options;
    for (;;) {
      if (signal.aborted) return;
      const names = new Set(await readdir(directory));
      const wanted = [...names].flatMap((name) => (name.startsWith(WANTED) ? [name.slice(WANTED.length)] : []));
      const missing = wanted.filter((name) => !names.has(name));
      const isAhead = (name: string): boolean => this.#ahead.some((segment) => segment.name === name);
      const again = missing.filter((name) => !isAhead(name));
      for (const name of again) await this.#deliver(name);
      const ready = [...names].filter((name) => /^[0-9A-F]{24}$/.test(name)).length;
      const batch = ready > jobs && !missing.some(isAhead) ? [] : this.#ahead.splice(0, jobs);
      await this.#deliverInOrder(batch);
      for (const name of wanted) await removeFile(join(directory, `${WANTED}${name}`), SCRATCH);
      if (batch.length === 0 && again.length === 0) await delay(POLL_MS);
    }
  }

  async #deliverInOrder(batch: readonly ChainSegment[]): Promise<void> {
    const fetched = batch.map(({ name }) => this.#fetch(name));
    await Promise.allSettled(fetched);
    for (const [at, segment] of batch.entries()) {
      const path = await fetched[at];
      if (path === undefined) continue;
      await using file = await openTrustedFile(path);
      this.#guard.check(segment.name, await file.readFile());
      await moveEntry(path, join(this.#options.directory, segment.name), SCRATCH);
    }
  }

  /** Recovery goes back to a segment at its start and its end, and may look behind the target. */
  async #deliver(name: string): Promise<void> {
    const path = await this.#fetch(name);
    await moveEntry(path, join(this.#options.directory, name), SCRATCH);
  }

  async #fetch(name: string): Promise<string> {
    const { directory, owner, signal } = this.#options;
    const path = join(directory, `fetched.${name}`);
    await fetchWalFile(this.#store, lineageTableOf(this.#plan), name, path, { signal, owner });
    this.fetchedBytes += this.#plan.chain.segments.find((segment) => segment.name === name)?.object.size ?? 0;
    return path;
  }
}
