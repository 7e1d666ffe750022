export { archiveWalFile, type ArchiveOptions } from "./archive-wal-file.ts";
export { readClusterIdentity } from "./cluster-identity.ts";
export { readWalSource, type ReadWalSource } from "./wal-source.ts";
