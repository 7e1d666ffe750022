import { SoarError } from "@soar/errors";

/** How members are compressed. `none` stores the plain bytes, so that the archive is a bare tar file. */
export type Codec = "gzip" | "zstd" | "none";

/** Every codec there is, for option parsers and loops. */
export const CODECS: readonly Codec[] = ["gzip", "zstd", "none"];

/**
 * Compression levels used when none is given: the fastest that store at most 4 % more than `gzip -6` and `zstd -3` do, on each of
 * two clusters of the owner's shape, in members of 1 MiB (README, "The levels").
 */
export const DEFAULT_LEVELS: Readonly<Record<Codec, number>> = { gzip: 4, zstd: 3, none: 0 };

const LEVELS: Readonly<Record<Codec, { readonly min: number; readonly max: number }>> = {
  gzip: { min: 1, max: 9 },
  zstd: { min: -7, max: 19 },
  none: { min: 0, max: 0 },
};

/**
 * Gives a level back that the codec has: 1 to 9 for gzip, -7 (fastest) to 19 for zstd, whose levels from 20 on take memory that a
 * server has other use for. Throws `CONFIG_INVALID`.
 */
export function requireCompressionLevel(codec: Codec, level: number | undefined): number | undefined {
  const { min, max } = LEVELS[codec];
  if (level === undefined || (Number.isInteger(level) && level >= min && level <= max)) return level;
  throw new SoarError("CONFIG_INVALID", `there is no compression level ${level} of '${codec}'`, {
    hint: codec === "none" ? "What is not compressed has no level." : `Give ${min} to ${max}, or none at all.`,
  });
}

/** Plain bytes of a file that go into one member, and the grid of file offsets at which large files are cut. */
export const DEFAULT_CHUNK_BYTES = 1024 * 1024;

/**
 * The largest member that any reader accepts, and the largest that any writer makes: several are in memory at once, and neither a
 * corrupt length nor a hostile repository may fill it.
 */
export const MEMBER_LIMIT_BYTES = 32 * 1024 * 1024;

/** Stored bytes of a member at the most: what does not compress grows a little. */
export const STORED_MEMBER_LIMIT_BYTES = MEMBER_LIMIT_BYTES + 1024 * 1024;
