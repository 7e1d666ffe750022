import type { Lsn } from "../wal-names/lsn.ts";
import type { ChecksumAlgorithm } from "./checksum-algorithm.ts";

/** One file of a backup. */
export interface ManifestFile {
  /** Relative to the data directory, with slashes; bytes that are not UTF-8 appear replaced. */
  readonly path: string;
  /** The path's bytes when they are not UTF-8; the only exact form then. */
  readonly pathBytes: Buffer | undefined;
  readonly size: number;
  readonly lastModified: Date;
  /** `undefined` when the backup was taken without checksums. */
  readonly checksum:
    | { readonly algorithm: ChecksumAlgorithm; /** Lower-case hexadecimal. */ readonly value: string }
    | undefined;
}

/** WAL that is needed to make the backup consistent. */
export interface ManifestWalRange {
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly endLsn: Lsn;
}

/** What a manifest says besides its files. */
export interface ManifestHead {
  /** 1 until PostgreSQL 16, 2 from 17 on. */
  readonly version: 1 | 2;
  /** Only version 2 has it. */
  readonly systemIdentifier: bigint | undefined;
  readonly walRanges: readonly ManifestWalRange[];
  /** SHA-256 of the manifest up to its last line, lower-case hexadecimal; verified. */
  readonly checksum: string;
}

/** The content of `backup_manifest`. */
export interface BackupManifest extends ManifestHead {
  readonly files: readonly ManifestFile[];
}
