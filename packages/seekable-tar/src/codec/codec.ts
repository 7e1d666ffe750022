/** How members are compressed. `none` stores the plain bytes, so that the archive is a bare tar file. */
export type Codec = "gzip" | "zstd" | "none";

/** Every codec there is, for option parsers and loops. */
export const CODECS: readonly Codec[] = ["gzip", "zstd", "none"];

/**
 * Compression levels used when none is given, chosen by `bench/codecs.ts`: the fastest ones that stay within 7 % of
 * `gzip -6` and 4 % of `zstd -3` in size.
 */
export const DEFAULT_LEVELS: Readonly<Record<Codec, number>> = { gzip: 6, zstd: 3, none: 0 };

/** The largest member that any reader accepts: a corrupt length must not make us allocate all memory. */
export const MEMBER_LIMIT_BYTES = 1024 ** 3;
