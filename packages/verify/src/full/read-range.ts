import { readObject, type ObjectStore } from "@soar/storage";
import { isDamage } from "../finding.ts";

/** Stored bytes of one request, and of one task of a worker. */
export const RANGE_BYTES = 4 * 1024 * 1024;

/** Bytes between two wanted members that are read and thrown away, where another request would cost more. */
export const GAP_BYTES = 256 * 1024;

/** Where stored bytes lie. */
export interface StoredPlace {
  readonly object: string;
  readonly offset: number;
  readonly length: number;
}

/** The bytes of a range, or why they are not there: that is damage, and no failure. Rejects where the store cannot be asked. */
export async function readRange(
  store: ObjectStore,
  { object, offset, length }: StoredPlace,
  signal: AbortSignal,
): Promise<Buffer | string> {
  try {
    return await readObject(store, object, { range: { offset, length }, signal });
  } catch (error) {
    if (!isDamage(error)) throw error;
    return error.message;
  }
}
