import { partSizeFor, type ObjectStore } from "@soar/storage";

/** Of parts that are uploaded, and of the one that is being filled meanwhile. */
const PART_MEMORY = 240 * 1024 ** 2;
const MOST = 4;

/**
 * How many parts of an archive are uploaded at once. A provider takes 10,000 parts, so that they grow with the archive: 4 at a
 * time up to about 460 GiB, 1 from 780 GiB on. What a backup needs stays below 400 MB up to 1.1 TiB of files in one
 * tablespace; beyond that two parts are all there can be, and each grows by 105 MiB per TiB.
 */
export function partsAtOnce(expectedSize: number, { features }: Pick<ObjectStore, "features">): number {
  const fitting = Math.floor(PART_MEMORY / partSizeFor(expectedSize, features)) - 1;
  return Math.min(MOST, Math.max(1, fitting));
}
