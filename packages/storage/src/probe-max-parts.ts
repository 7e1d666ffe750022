import { hasErrorCode } from "@soar/errors";
import { abortProbe } from "./give-back.ts";
import type { CallOptions, ObjectStore } from "./object-store.ts";
import { partSizeFor } from "./part-size.ts";

/** Amazon's limit, and the usual one below it. */
const USUAL_LIMITS = [10_000, 1_000] as const;

const PART = Buffer.from("Does this store take a part of this number? See probeMaxParts of @soar/storage.\n");

/**
 * Finds out how many parts an upload may have, by sending single small parts with the numbers that are usually the last, and
 * others in between where these are refused. Nothing becomes visible under the key: the upload is aborted. The store
 * remembers the answer as its `features.maxParts`.
 */
export async function probeMaxParts(store: ObjectStore, key: string, options: CallOptions = {}): Promise<number> {
  const { signal } = options;
  const upload = await store.beginMultipart(key, { partSize: store.features.minPartSize, signal });
  const isTaken = async (partNumber: number): Promise<boolean> => {
    try {
      await upload.putPart(partNumber, PART.subarray(0, store.features.minPartSize), { signal });
      return true;
    } catch (error) {
      if (hasErrorCode(error, "STORE_UNSUPPORTED")) return false;
      throw error;
    }
  };
  try {
    const maxParts = await largestTaken(Math.min(store.features.maxParts, USUAL_LIMITS[0]), isTaken);
    store.features.learnMaxParts(maxParts);
    return maxParts;
  } finally {
    await abortProbe(upload);
  }
}

/** Fewer parts than any server is known to refuse. */
const SURE_PARTS = 1_000;

/**
 * Has the store know how many parts it takes before an upload that may need many begins: refused at part 1,001, everything
 * before would have travelled for nothing. Asks only where that is neither documented nor configured nor found out by this
 * process: what a repository remembers may have changed since.
 */
export async function proveMaxParts(
  store: ObjectStore,
  key: string,
  { expectedSize, signal }: CallOptions & { readonly expectedSize: number },
): Promise<void> {
  const { features } = store;
  if (features.isMaxPartsProved || expectedSize <= SURE_PARTS * partSizeFor(0, features)) return;
  await probeMaxParts(store, key, { signal });
}

/** The upper limit itself, else the usual one below it if it is taken, else the largest number below that. */
async function largestTaken(limit: number, isTaken: (partNumber: number) => Promise<boolean>): Promise<number> {
  if (await isTaken(limit)) return limit;
  let [taken, refused] = [1, limit];
  const usual = USUAL_LIMITS[1];
  if (usual < limit) {
    if (await isTaken(usual)) return usual;
    refused = usual;
  }
  while (refused - taken > 1) {
    const middle = (taken + refused) >> 1;
    if (await isTaken(middle)) taken = middle;
    else refused = middle;
  }
  return taken;
}
