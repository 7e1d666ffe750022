import { hasErrorCode } from "@soar/errors";
import { backupKey, requireDigest, sha256Hex } from "@soar/repository";
import { readObject, type CallOptions, type ObjectStore } from "@soar/storage";

/** An object of a backup as its record lists it. */
export interface BackupObject {
  /** Below `base/<label>/`. */
  readonly name: string;
  readonly size: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** Stores a small object of a backup. One that is there already with the same bytes is this call's, whose reply was lost. */
export async function storeObject(
  store: ObjectStore,
  label: string,
  name: string,
  body: Buffer,
  { signal }: CallOptions,
): Promise<BackupObject> {
  const key = backupKey(label, name);
  const object = { name, size: body.length, sha256: sha256Hex(body) };
  try {
    await store.put(key, body, { ifAbsent: true, signal });
  } catch (error) {
    if (!hasErrorCode(error, "OBJECT_EXISTS")) throw error;
    requireDigest(await readObject(store, key, { maxBytes: body.length, signal }), object, `${store.location}/${key}`);
  }
  return object;
}
