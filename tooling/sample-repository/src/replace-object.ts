import { readObject, type ObjectStore } from "@soar/storage";

/** Puts other bytes in the place of an object, as damage does. */
export async function replaceObject(store: ObjectStore, key: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = await readObject(store, key);
  await store.remove([key]);
  await store.put(key, change(bytes));
}

export async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}
