// Archive one WAL file.

export { archiveWalFile, type ArchiveOptions } from "./archive-wal-file.ts";
export { archiveBeside, type ArchiveBeside } from "./beside-the-archiver.ts";
