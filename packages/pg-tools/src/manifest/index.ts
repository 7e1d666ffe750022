// backup_manifest, and the checksums in it.

export type { BackupManifest, ManifestFile, ManifestHead } from "./backup-manifest.ts";
export type { ChecksumAlgorithm } from "./checksum-algorithm.ts";
export { createFileChecksum, type FileChecksum } from "./file-checksum.ts";
export { crc32cOf, formatCrc32c, joinCrc32c } from "./joined-crc32c.ts";
export { formatBackupManifest } from "./format-manifest.ts";
export {
  createManifestReader,
  LONGEST_MANIFEST_LINE,
  type ManifestReader,
  parseBackupManifest,
} from "./manifest-reader.ts";
export { replaceInManifest } from "./replace-in-manifest.ts";
