import type { PlacedEntry } from "./row.ts";
import type { MemberList } from "./member-list.ts";

/** A seek table in memory: about 64 bytes per member, and the entries. */
export interface SeekTable {
  /** Grid of file offsets at which large files were cut. */
  readonly chunkBytes: number;
  readonly archives: readonly SeekArchive[];
}

/** One tar archive: its members' plain bytes, one behind the other, are the tar stream. */
export interface SeekArchive {
  readonly name: string;
  readonly members: MemberList;
  /** In the order of the tar stream. */
  readonly entries: readonly PlacedEntry[];
  /** Length of the tar stream. */
  readonly plainBytes: number;
}
