import { type ObjectStore, readObject, type StoredObject } from "@soar/storage";

/** Remembers every object of a store; the call that it resolves to puts the store back to just these. */
export async function keepObjects(store: ObjectStore): Promise<() => Promise<void>> {
  const kept = new Map<string, { readonly etag: string | undefined; readonly bytes: Buffer }>();
  for (const { key, etag } of await listAll(store)) kept.set(key, { etag, bytes: await readObject(store, key) });
  return async () => {
    const present = await listAll(store);
    await store.remove(present.filter(({ key }) => !kept.has(key)).map(({ key }) => key));
    const etags = new Map(present.map(({ key, etag }) => [key, etag]));
    for (const [key, { etag, bytes }] of kept) {
      if (etags.get(key) === etag) continue;
      await store.remove([key]);
      await store.put(key, bytes);
    }
  };
}

async function listAll(store: ObjectStore): Promise<StoredObject[]> {
  return await Array.fromAsync(store.list(""));
}
