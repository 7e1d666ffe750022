import { findWalObjects } from "@soar/repository/wal";
import { listTailSegments, removeTail, type TailRemoval } from "@soar/repository/tail";
import type { ObjectStore } from "@soar/storage";

export interface TailCleanerOptions {
  readonly signal: AbortSignal;
  /** A tail that could not be removed is in nobody's way: it is told and left to the next sweep. */
  readonly onFailure: (segmentName: string, error: unknown) => void;
  /** Monotonic clock in milliseconds; replaced in tests. */
  readonly now?: (() => number) | undefined;
}

/** Why the bucket refuses to remove tails: this key may not delete, or retention protects them. */
export type TailRefusal = Extract<TailRemoval, "denied" | "locked">;

/** Removes the tails of segments that are archived as a whole, one after the other and behind everything else. */
export interface TailCleaner {
  archived(segmentName: string): void;
  /** A piece was put. It may have been on its way when the rest of its segment's tail was removed. */
  shipped(segmentName: string): void;
  /** Removes what earlier runs have left. */
  sweep(): void;
  /** The bucket's newest refusal; undefined once it has removed something since. */
  readonly refusal: TailRefusal | undefined;
  /** Resolves when there is nothing left to do. */
  idle(): Promise<void>;
}

/** No piece is on its way for longer than the archive needs for so many segments. */
const REMEMBERED = 256;

/** Rights come back, credentials are renewed, retention ends: so long after a refusal the bucket is asked again. */
const ASK_AGAIN_MS = 3600_000;

/** So many tails in a row are tried by one sweep, because retention may protect single ones. */
const MOST_REFUSED = 8;

/** Listed a few at a time: a key that may not delete leaves one for every segment of the window. */
const LISTED_AT_ONCE = 16;

async function* tailsBehind(
  store: ObjectStore,
  first: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  for (let after = first; ;) {
    const names = await listTailSegments(store, { after, atMost: LISTED_AT_ONCE, signal });
    yield* names;
    after = names.at(-1);
    if (names.length < LISTED_AT_ONCE) return;
  }
}

export function createTailCleaner(store: ObjectStore, options: TailCleanerOptions): TailCleaner {
  const { signal, onFailure, now = () => performance.now() } = options;
  let work = Promise.resolve();
  let refusal: TailRefusal | undefined;
  let refusedAt = 0;
  const removed = new Set<string>();
  const remove = async (name: string): Promise<TailRemoval> => {
    const outcome = await removeTail(store, name, { signal });
    if (outcome === "removed") refusal = undefined;
    if (outcome === "denied" || outcome === "locked") [refusal, refusedAt] = [outcome, now()];
    return outcome;
  };
  /** Where the next sweep begins: behind the tails that retention held up in the last one. */
  let behind: string | undefined;
  const removeAll = async (): Promise<void> => {
    let refused = 0;
    for await (const name of tailsBehind(store, behind, signal)) {
      if (signal.aborted) return;
      if ((await findWalObjects(store, name, { signal })).length === 0) continue;
      const outcome = await remove(name);
      // Whoever may not delete may not delete anything.
      if (outcome === "denied") return;
      refused = outcome === "locked" ? refused + 1 : 0;
      if (refused === MOST_REFUSED) {
        behind = name;
        return;
      }
    }
    behind = undefined;
  };
  /** After a refusal a lifecycle rule does it: asking for every segment would only cost money. */
  const removeUnlessRefused = async (name: string): Promise<void> => {
    removed.add(name);
    for (const oldest of removed) if (removed.size > REMEMBERED) removed.delete(oldest);
    if (signal.aborted) return;
    if (refusal === undefined) {
      await remove(name);
    } else if (now() - refusedAt >= ASK_AGAIN_MS) {
      refusedAt = now();
      // With the one at hand, before thousands are listed for nothing. Retention may have ended for older ones all the same.
      if ((await remove(name)) !== "denied") await removeAll();
    }
  };
  const then = (name: string, task: () => Promise<void>): void => {
    work = work.then(task).catch((error: unknown) => {
      if (!signal.aborted) onFailure(name, error);
    });
  };
  return {
    archived(name) {
      if (/^[0-9A-F]{24}$/.test(name)) then(name, () => removeUnlessRefused(name));
    },
    shipped(name) {
      then(name, async () => {
        if (removed.has(name)) await removeUnlessRefused(name);
      });
    },
    sweep: () => then("tail/", removeAll),
    get refusal() {
      return refusal;
    },
    idle: () => work,
  };
}
