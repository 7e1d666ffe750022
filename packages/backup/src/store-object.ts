import { backupKey, sha256Hex } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";

/** An object of a backup as its record lists it. */
export interface BackupObject {
  /** Below `base/<label>/`. */
  readonly name: string;
  readonly size: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** Stores a small object of a backup. */
export async function storeObject(store: ObjectStore, label: string, name: string, body: Buffer, options: CallOptions): Promise<BackupObject> {
  await store.put(backupKey(label, name), body, { ifAbsent: true, signal: options.signal });
  return { name, size: body.length, sha256: sha256Hex(body) };
}
