export {
  type Codec,
  CODECS,
  DEFAULT_CHUNK_BYTES,
  DEFAULT_LEVELS,
  MEMBER_LIMIT_BYTES,
  STORED_MEMBER_LIMIT_BYTES,
} from "./codec/codec.ts";
export { compressMember, compressMemberSync, decompressMember, decompressMemberSync } from "./codec/member.ts";

export { type CodecPool, createCodecPool } from "./codec-pool.ts";

export type { TarEntry } from "./tar/tar-entry.ts";
export { type TarPiece, TarScanner } from "./tar/tar-scanner.ts";
export { memberize } from "./write/memberize.ts";
export type { MemberLocation, MemberRow, PlacedEntry, TableRow } from "./table/row.ts";
export type { SeekableTarWrite, WriteSummary } from "./write/member-writer.ts";
export { writeSeekableTar, type WriteSeekableTarOptions } from "./write/write-seekable-tar.ts";

export { DigestIndex } from "./table/digest-index.ts";
export { readSeekTable, readSeekTableRows, readTableOutline } from "./table/read-seek-table.ts";
export type { ExpectedTable } from "./table/table-watch.ts";
export type { ArchiveOutline, SeekArchive, SeekTable, TableOutline } from "./table/seek-table.ts";
export { type SeekTableSummary, SeekTableWriter, type TableFrame } from "./table/seek-table-writer.ts";

export { findEntry, readArchive, readEntry, type ReadOptions } from "./read/read-archive.ts";
export { TarComparison } from "./read/tar-comparison.ts";
export { extractArchive, type ExtractOptions, type ExtractSummary } from "./extract/extract-archive.ts";
export type { FileOwner } from "./pool/tasks.ts";
