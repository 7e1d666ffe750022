/** Segments that are fetched ahead of replay take at most so much. */
export const LARGEST_SPOOL_SEGMENTS = 64;
export const LARGEST_SPOOL_BYTES = 2 ** 30;
/** Part of the free space that segments in waiting may take: recovery itself needs room, too. */
export const SPOOL_SHARE = 0.25;
