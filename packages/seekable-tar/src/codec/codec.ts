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

/** Plain bytes of a file that go into one member, and the grid of file offsets at which large files are cut. */
export const DEFAULT_CHUNK_BYTES = 1024 * 1024;

/**
 * The largest member that any reader accepts, and the largest that any writer makes: several are in memory at once, and neither a
 * corrupt length nor a hostile repository may fill it.
 */
export const MEMBER_LIMIT_BYTES = 32 * 1024 * 1024;

/** Stored bytes of a member at the most: what does not compress grows a little. */
export const STORED_MEMBER_LIMIT_BYTES = MEMBER_LIMIT_BYTES + 1024 * 1024;
