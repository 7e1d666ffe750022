import { crc32cOf } from "@soar/pg-tools/manifest";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { describeEnd, readWalDescription, requireCrc, requireOwn, type DescribedWal } from "./get-wal.ts";
import type { WalDescription } from "./wal-description.ts";
import type { WalObject } from "./wal-key.ts";

/**
 * Compares the stored bytes of a WAL object with their recorded CRC-32C, without decompressing them, and gives what the
 * object says of itself; undefined for one that has no such record: a bare file, which can only be read.
 * Throws `REPOSITORY_DAMAGED`.
 */
export function proveStoredWal(object: WalObject, stored: Buffer, where: string): WalDescription | undefined {
  if (object.codec === "none") return undefined;
  const described = describeEnd(stored, stored.length, object.codec, where);
  requireOwn(described, object, where);
  const { crc, changes = 0 } = described.description;
  if (crc === undefined) return undefined;
  requireCrc(crc32cOf(stored.subarray(0, described.dataLength + changes)), crc, where);
  return described.description;
}

/** The same for an object that is too large to be held, in one pass over its bytes. Rejects as reading an object does, too. */
export async function proveLargeStoredWal(
  store: ObjectStore,
  object: WalObject,
  options: CallOptions = {},
): Promise<WalDescription | undefined> {
  if (object.codec === "none") return undefined;
  const where = `${store.location}/${object.key}`;
  const described: DescribedWal = await readWalDescription(store, object, options);
  requireOwn(described, object, where);
  const { crc, changes = 0 } = described.description;
  if (crc === undefined) return undefined;
  const length = described.dataLength + changes;
  let found = 0;
  for await (const piece of await store.get(object.key, { ...options, range: { offset: 0, length } }))
    found = crc32cOf(piece, found);
  requireCrc(found, crc, where);
  return described.description;
}
