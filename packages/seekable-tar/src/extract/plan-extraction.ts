import { SoarError } from "@soar/errors";
import type { FileOwner } from "../pool/tasks.ts";
import type { PlacedEntry } from "../table/row.ts";
import type { ArchiveOutline } from "../table/seek-table.ts";
import type { PlannedEntry, PlannedLink } from "./planned-entry.ts";

export interface EntryChoice {
  /** Which entries to extract; by default all. */
  readonly select?: ((entry: PlacedEntry) => boolean) | undefined;
  /** Path under the target directory, when it is not that of the entry. */
  readonly mapPath?: ((entry: PlacedEntry) => string) | undefined;
  /** Target of a symbolic link, when it is not that of the entry. */
  readonly mapLink?: ((entry: PlacedEntry) => string) | undefined;
  /** Owner of everything that is extracted, and of directories made for it; by default whoever runs the process. */
  readonly owner?: FileOwner | undefined;
}

/** What an extraction makes, each list in the order of the archive. */
export interface ExtractionPlan {
  readonly directories: readonly PlannedEntry[];
  readonly emptyFiles: readonly PlannedEntry[];
  readonly files: readonly PlannedEntry[];
  readonly symlinks: readonly PlannedLink[];
  readonly hardLinks: readonly PlannedLink[];
}

/**
 * Chooses entries and checks every path, before anything is touched. Of several entries with one path the last one counts,
 * as for `tar`. Throws `FORMAT_INVALID` for a path that leads out of the target directory and for devices and pipes.
 */
export function planExtraction({ entries }: ArchiveOutline, choice: EntryChoice): ExtractionPlan {
  const byPath = new Map<string, PlacedEntry>();
  for (const entry of entries) {
    if (choice.select?.(entry) === false) continue;
    byPath.set(checkPath(choice.mapPath?.(entry) ?? entry.path, entry), entry);
  }
  const plan = {
    directories: [] as PlannedEntry[],
    emptyFiles: [] as PlannedEntry[],
    files: [] as PlannedEntry[],
    symlinks: [] as PlannedLink[],
    hardLinks: [] as PlannedLink[],
  };
  for (const [path, entry] of [...byPath].sort(([, a], [, b]) => a.member - b.member || a.offset - b.offset)) {
    const planned = { path, entry, attributes: { mode: entry.mode, mtime: entry.mtime, owner: choice.owner } };
    if (entry.type === "file") (entry.size === 0 ? plan.emptyFiles : plan.files).push(planned);
    else if (entry.type === "directory") plan.directories.push(planned);
    else if (entry.type === "symlink")
      plan.symlinks.push({ ...planned, target: choice.mapLink?.(entry) ?? entry.link });
    else if (entry.type === "link")
      plan.hardLinks.push({ ...planned, target: checkPath(hardLinkTarget(entry, choice), entry) });
    else throw refused(entry, "it is a device or a named pipe");
  }
  return plan;
}

/** A hard link names an entry of the archive, which may have been mapped too. */
function hardLinkTarget(entry: PlacedEntry, { mapPath }: EntryChoice): string {
  const target = entry.link.replace(/^(?:\.\/+)+/, "");
  return mapPath?.({ ...entry, path: target, type: "file" }) ?? target;
}

function checkPath(path: string, entry: PlacedEntry): string {
  const parts = path.split("/");
  if (path.startsWith("/")) throw refused(entry, `'${path}' is an absolute path`);
  if (path === "" || path.includes("\0")) throw refused(entry, `'${path}' is no path`);
  if (parts.includes("..")) throw refused(entry, `'${path}' leads out of the directory`);
  return parts.filter((part) => part !== "" && part !== ".").join("/") || ".";
}

function refused({ path }: PlacedEntry, fact: string): SoarError {
  return new SoarError("FORMAT_INVALID", `unable to extract '${path}': ${fact}`, {
    hint: "The archive was not made by a base backup, or it was tampered with. Nothing was written.",
  });
}
