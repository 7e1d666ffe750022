import { randomUUID } from "node:crypto";
import { hasErrorCode } from "@soar/errors";
import type { CallOptions, ObjectStore } from "./object-store.ts";
import type { ConditionalPut } from "./server-habits.ts";

/**
 * Finds out what the store does with "only if absent" by writing one small object twice under `keyPrefix`. Some servers
 * ignore the header silently, so nothing less tells. Done once per repository, and remembered in `StoreConfig`.
 *
 * The object is removed afterwards; with a key that may not remove anything it stays (some bytes, once).
 */
export async function probeConditionalPut(
  store: ObjectStore,
  keyPrefix: string,
  { signal }: CallOptions = {},
): Promise<Exclude<ConditionalPut, "unknown">> {
  const key = `${keyPrefix}probe-${randomUUID()}`;
  const body = Buffer.from("Does this store refuse to overwrite? See probeConditionalPut of @soar/storage.\n");
  try {
    await store.put(key, body, { ifAbsent: "by-server", signal });
  } catch (error) {
    if (hasErrorCode(error, "STORE_UNSUPPORTED")) return "refused";
    // A refusal that names no reason is one of the condition if the same goes through without it.
    if (hasErrorCode(error, "STORE_PROTOCOL")) {
      await store.put(key, body, { signal });
      return await removeProbe(store, key, "refused", signal);
    }
    // Taken under a random name: the answer to a first attempt was lost, and its repetition was refused.
    if (hasErrorCode(error, "OBJECT_EXISTS")) return await removeProbe(store, key, "honoured", signal);
    throw error;
  }
  try {
    await store.put(key, body, { ifAbsent: "by-server", signal });
    return await removeProbe(store, key, "ignored", signal);
  } catch (error) {
    if (!hasErrorCode(error, "OBJECT_EXISTS")) throw error;
    return await removeProbe(store, key, "honoured", signal);
  }
}

async function removeProbe<T>(store: ObjectStore, key: string, result: T, signal: AbortSignal | undefined): Promise<T> {
  try {
    await store.remove([key], { signal });
  } catch (error) {
    if (!hasErrorCode(error, "STORE_DENIED", "OBJECT_LOCKED")) throw error;
  }
  return result;
}
