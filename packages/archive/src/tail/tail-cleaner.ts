import { findWalObjects } from "@soar/repository/wal";
import { listTailSegments, removeTail } from "@soar/repository/tail";
import type { ObjectStore } from "@soar/storage";

export interface TailCleanerOptions {
  readonly signal: AbortSignal;
  /** A tail that could not be removed is in nobody's way: it is told and left to the next start. */
  readonly onFailure: (segmentName: string, error: unknown) => void;
}

/** Removes the tails of segments that are archived as a whole, one after the other and behind everything else. */
export interface TailCleaner {
  archived(segmentName: string): void;
  /** A piece was put. It may have been on its way when the rest of its segment's tail was removed. */
  shipped(segmentName: string): void;
  /** Removes what earlier runs have left. */
  sweep(): void;
  /** False once the bucket has refused to remove anything: this key may not delete. */
  readonly mayRemove: boolean;
  /** Resolves when there is nothing left to do. */
  idle(): Promise<void>;
}

/** No piece is on its way for longer than the archive needs for so many segments. */
const REMEMBERED = 256;

export function createTailCleaner(store: ObjectStore, { signal, onFailure }: TailCleanerOptions): TailCleaner {
  let work = Promise.resolve();
  let mayRemove = true;
  const removed = new Set<string>();
  const remove = async (name: string): Promise<void> => {
    // Without the right to delete a lifecycle rule does it: asking for every segment would only cost money.
    if (mayRemove && !signal.aborted) mayRemove = await removeTail(store, name, { signal });
    removed.add(name);
    for (const oldest of removed) if (removed.size > REMEMBERED) removed.delete(oldest);
  };
  const then = (name: string, task: () => Promise<void>): void => {
    work = work.then(task).catch((error: unknown) => {
      if (!signal.aborted) onFailure(name, error);
    });
  };
  return {
    archived(name) {
      if (/^[0-9A-F]{24}$/.test(name)) then(name, () => remove(name));
    },
    shipped(name) {
      then(name, async () => {
        if (removed.has(name)) await remove(name);
      });
    },
    sweep() {
      then("tail/", async () => {
        for (const name of await listTailSegments(store, { signal }))
          if ((await findWalObjects(store, name, { signal })).length > 0) await remove(name);
      });
    },
    get mayRemove() {
      return mayRemove;
    },
    idle: () => work,
  };
}
