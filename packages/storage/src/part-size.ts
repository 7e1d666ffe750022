import { SoarError } from "@soar/errors";
import type { StoreFeatures } from "./object-store.ts";

/** Below this a part costs more in requests than it saves in memory. */
const PREFERRED_PART_SIZE = 8 * 1024 ** 2;

/** Parts are whole mebibytes, so that they read well and hardly ever differ between two objects. */
const PART_SIZE_STEP = 1024 ** 2;

/** Largest object of S3, in bytes. */
export const MAX_OBJECT_SIZE = 5 * 1024 ** 4;

type PartLimits = Pick<StoreFeatures, "maxParts" | "minPartSize" | "maxPartSize">;

/**
 * Size of equal parts that hold `expectedSize` bytes in at most `maxParts` parts: 8 MiB, and more where that is not
 * enough (525 MiB for 5 TiB in 10,000 parts). An upload holds `parallel` parts in memory. Throws `STORE_UNSUPPORTED`
 * when no part size will do.
 */
export function partSizeFor(expectedSize: number, features: PartLimits): number {
  if (!Number.isSafeInteger(expectedSize) || expectedSize < 0)
    throw new RangeError(`an expected size is a whole number of bytes, not ${expectedSize}`);
  const needed = Math.ceil(expectedSize / features.maxParts);
  const wanted = Math.max(needed, features.minPartSize, PREFERRED_PART_SIZE);
  const stepped = Math.ceil(wanted / PART_SIZE_STEP) * PART_SIZE_STEP;
  const partSize = Math.min(stepped, features.maxPartSize);
  if (partSize >= needed && expectedSize <= MAX_OBJECT_SIZE) return partSize;
  const limit = Math.min(MAX_OBJECT_SIZE, features.maxParts * features.maxPartSize);
  throw new SoarError(
    "STORE_UNSUPPORTED",
    `unable to upload ${expectedSize} bytes as one object: the store takes at most ${limit}`,
    {
      hint: "Split the object, or use a provider that takes more or larger parts.",
    },
  );
}
