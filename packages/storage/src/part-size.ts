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

/** Of an upload that is to stay within some hundred megabytes of memory: five parts are, four on their way and one that is filled. */
const LARGEST_BUFFERED_PART = 48 * 1024 ** 2;

export interface ObjectSizes {
  /** Bytes of a part, at most 48 MiB unless the store wants larger ones. */
  readonly partSize: number;
  /** Most bytes of an object in such parts. */
  readonly objectBytes: number;
}

/**
 * How to store a stream of about `expectedSize` bytes in as few objects as can be without needing more memory for a longer
 * stream: in one, up to 480 GB in 10,000 parts. Whoever cuts the stream after `objectBytes` can store one of any length.
 */
export function objectSizesFor(expectedSize: number, features: PartLimits): ObjectSizes {
  const largest = Math.min(MAX_OBJECT_SIZE, features.maxParts * Math.min(LARGEST_BUFFERED_PART, features.maxPartSize));
  const partSize = partSizeFor(Math.min(expectedSize, largest), features);
  return { partSize, objectBytes: Math.min(MAX_OBJECT_SIZE, partSize * features.maxParts) };
}
