/** How members are compressed. `none` stores the plain bytes, so that the archive is a bare tar file. */
export type Codec = "gzip" | "zstd" | "none";

/** Every codec there is, for option parsers and loops. */
export const CODECS: readonly Codec[] = ["gzip", "zstd", "none"];

/**
 * Compression levels used when none is given: the knee of the curve on PostgreSQL data in members of 1 MiB
 * (`bench/codecs.ts`, one core, size against the plain tool). gzip: level 4 103 MB/s at +0.5 % over `gzip -6`, 5 81 MB/s
 * at -0.1 %. zstd: level 3 217 MB/s at +3.1 % over `zstd -3`; what is faster stores over 4 % more.
 */
export const DEFAULT_LEVELS: Readonly<Record<Codec, number>> = { gzip: 4, zstd: 3, none: 0 };

/** Plain bytes of a file that go into one member, and the grid of file offsets at which large files are cut. */
export const DEFAULT_CHUNK_BYTES = 1024 * 1024;

/** The largest member that any reader accepts: a corrupt length must not make us allocate all memory. */
export const MEMBER_LIMIT_BYTES = 1024 ** 3;
