import type { MemberList } from "./member-list.ts";
import type { MemberSource } from "./member-source.ts";
import type { PlacedEntry } from "./row.ts";

/** A seek table with its entries in memory; its members are read where they are stored, again and again. */
export interface TableOutline {
  /** Grid of file offsets at which large files were cut. */
  readonly chunkBytes: number;
  readonly archives: readonly ArchiveOutline[];
}

/** One tar archive: its members' plain bytes, one behind the other, are the tar stream. */
export interface ArchiveOutline {
  readonly name: string;
  readonly members: MemberSource;
  /** In the order of the tar stream. */
  readonly entries: readonly PlacedEntry[];
  /** Length of the tar stream. */
  readonly plainBytes: number;
}

/** A seek table in memory: about 64 bytes per member, and the entries. */
export interface SeekTable extends TableOutline {
  readonly archives: readonly SeekArchive[];
}

export interface SeekArchive extends ArchiveOutline {
  readonly members: MemberList;
}
