import { SoarError } from "@soar/errors";

/** How members are compressed. `none` stores the plain bytes, so that the archive is a bare tar file. */
export type Codec = "gzip" | "zstd" | "none";

/** Every codec there is, for option parsers and loops. */
export const CODECS: readonly Codec[] = ["gzip", "zstd", "none"];

/**
 * Compression levels used when none is given: the knee of the curve on PostgreSQL data in members of 1 MiB
 * (`bench/codecs.ts`, one core, size against the plain tool). gzip: level 2 143 MB/s at +2.8 % over `gzip -6`, 4 109 MB/s
 * at +1.5 %, 6 60 MB/s. zstd: level 3 328 MB/s; what is faster stores over 4 % more than `zstd -3`.
 */
export const DEFAULT_LEVELS: Readonly<Record<Codec, number>> = { gzip: 2, zstd: 3, none: 0 };

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
