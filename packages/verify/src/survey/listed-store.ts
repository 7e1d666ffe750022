import { compareKeys, type ObjectStore, type StoredObject } from "@soar/storage";

/**
 * A view of a store that answers listings and looks at objects from one listing that was made before: every check sees the
 * same state of the bucket, and twenty of them cost no more requests than one. Bodies are read from the store itself.
 */
export function listedStore(store: ObjectStore, objects: readonly StoredObject[]): ObjectStore {
  const byKey = new Map(objects.map((object) => [object.key, object]));
  return {
    ...store,
    // eslint-disable-next-line @typescript-eslint/require-await
    async *list(prefix, { startAfter } = {}) {
      const after =
        startAfter !== undefined && compareKeys(startAfter, prefix) > 0
          ? { key: startAfter, isIncluded: false }
          : { key: prefix, isIncluded: true };
      for (let at = firstFrom(objects, after); at < objects.length; at++) {
        const object = objects[at];
        if (object === undefined || !object.key.startsWith(prefix)) return;
        yield object;
      }
    },
    stat: (key) => Promise.resolve(byKey.get(key)),
  };
}

function firstFrom(
  objects: readonly StoredObject[],
  { key, isIncluded }: { readonly key: string; readonly isIncluded: boolean },
): number {
  let [low, high] = [0, objects.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareKeys(objects[middle]?.key ?? "", key);
    if (order < 0 || (order === 0 && !isIncluded)) low = middle + 1;
    else high = middle;
  }
  return low;
}
