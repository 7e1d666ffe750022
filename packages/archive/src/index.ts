// Archive one WAL file.

export { archiveWalFile, type ArchiveOptions } from "./archive-wal-file.ts";
