import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "@soar/app-kit";
import { readRepositoryFacts, type RepositoryFacts } from "@soar/archive/status";
import { isSoarError } from "@soar/errors";
import type { ObjectStore } from "@soar/storage";

const EVERY_MS = 60 * 60_000;
/** After a failure, and after a sign that a base backup or a gap is on its way. */
const SOON_MS = 60_000;

export interface RepositoryWatch {
  readonly facts: RepositoryFacts | undefined;
  /** Something new is to be expected in the bucket. */
  expectNews(): void;
  /** Looks into the bucket now and then, until the signal aborts. */
  run(): Promise<void>;
}

/** Base backups and declared gaps change rarely, and every look costs requests: one an hour, more often when there is a reason. */
export function createRepositoryWatch(
  store: ObjectStore,
  {
    log,
    signal,
    onFacts,
  }: { readonly log: Log; readonly signal: AbortSignal; readonly onFacts: (facts: RepositoryFacts) => void },
): RepositoryWatch {
  let facts: RepositoryFacts | undefined;
  let soonUntil = 0;
  let hasFailed = false;
  let news = new AbortController();
  const look = async (): Promise<number> => {
    try {
      facts = await readRepositoryFacts(store, { signal });
      onFacts(facts);
      hasFailed = false;
      return performance.now() < soonUntil ? SOON_MS : EVERY_MS;
    } catch (error) {
      if (!isSoarError(error)) throw error;
      // What is not known is left out of the metrics, so that its absence alarms.
      facts = undefined;
      if (!hasFailed && !signal.aborted) log.warn(`the bucket's base backups and gaps are not known: ${error.message}`);
      hasFailed = true;
      return SOON_MS;
    }
  };
  return {
    get facts() {
      return facts;
    },
    expectNews() {
      // A base backup is complete when its WAL is in the bucket, which may take as long as its last wait.
      soonUntil = performance.now() + 15 * SOON_MS;
      news.abort();
    },
    async run() {
      while (!signal.aborted) {
        // Made before the look: what is announced meanwhile may be too new for it.
        news = new AbortController();
        const pauseMs = await look();
        // Ends at once where the signal has aborted during the look.
        await delay(pauseMs, undefined, { signal: AbortSignal.any([signal, news.signal]) }).catch(() => undefined);
      }
    },
  };
}
