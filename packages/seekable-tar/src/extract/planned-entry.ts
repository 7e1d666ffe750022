import type { FileAttributes } from "../pool/tasks.ts";
import type { PlacedEntry } from "../table/row.ts";

/** Something that is to be made at a path, relative to the target directory. */
export interface PlannedEntry {
  readonly path: string;
  readonly entry: PlacedEntry;
  readonly attributes: FileAttributes;
}

export interface PlannedLink extends PlannedEntry {
  /** For a symbolic link any text, for a hard link a path relative to the target directory. */
  readonly target: string;
}
