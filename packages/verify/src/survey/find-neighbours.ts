import { CONFIG_KEY, holdsRepository } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";

/**
 * The prefixes, with their slash, of other repositories below this one's, which is what a bucket has whose first repository lies
 * at its root. Told from keys that belong to nothing here.
 */
export async function findNeighbours(
  store: ObjectStore,
  keys: readonly string[],
  options: CallOptions,
): Promise<string[]> {
  const neighbours: string[] = [];
  for (const key of keys) {
    if (!key.endsWith(`/${CONFIG_KEY}`)) continue;
    const prefix = key.slice(0, -CONFIG_KEY.length);
    if (await holdsRepository(store, prefix, options)) neighbours.push(prefix);
  }
  return neighbours;
}
