import { type FileHandle, open } from "node:fs/promises";
import { constants } from "node:fs";
import { meansAbsent, unreadable } from "@soar/durable-files";
import { parseRelationPath } from "@soar/pg-tools/page-checksum";
import type { ContentEntry } from "@soar/pg-tools/backup-contents";
import { decodeName, type ListedEntry } from "@soar/seekable-tar/members";
import { FileSum } from "./file-sums.ts";

/** A file of the cluster on its way into the backup. */
export interface ClusterFile {
  /** Where it lies, as bytes. */
  readonly place: Buffer;
  /** Relative to the data directory, as the manifest names it. */
  readonly path: Buffer;
  readonly size: number;
  readonly mtime: number;
  readonly sum: FileSum;
  /** Number of the file's first block in its fork, when it holds pages. */
  readonly firstBlock: number | undefined;
  /** Open from here on, so that all of its chunks are those of one file. */
  readonly handle: FileHandle | undefined;
  /** Content that is known already, instead of a file. */
  readonly content: Buffer | undefined;
}

export interface ListingPlace {
  /** The directory that was listed. */
  readonly root: string;
  /** What stands in front of its paths in the manifest: `pg_tblspc/OID/` for a tablespace. */
  readonly prefix: string;
  /** Files from this size on are opened here. */
  readonly largeFileBytes: number;
  readonly blocksPerFile: number;
}

/** Undefined for a large file that has vanished meanwhile. */
export async function toListedEntry(
  { type, path, ...entry }: ContentEntry,
  { root, prefix, largeFileBytes, blocksPerFile }: ListingPlace,
): Promise<ListedEntry<ClusterFile> | undefined> {
  const listed = { ...entry, path: decodeName(path), link: "", type };
  if (type !== "file") return { entry: listed };
  const place = Buffer.concat([Buffer.from(`${root}/`), path]);
  const handle = entry.size >= largeFileBytes ? await openUnlessGone(place) : undefined;
  if (entry.size >= largeFileBytes && handle === undefined) return undefined;
  const inCluster = Buffer.concat([Buffer.from(prefix), path]);
  const relation = parseRelationPath(inCluster.toString("latin1"));
  return {
    entry: listed,
    source: {
      place,
      path: inCluster,
      size: entry.size,
      mtime: entry.mtime,
      sum: new FileSum(),
      firstBlock: relation && relation.segment * blocksPerFile,
      handle,
      content: undefined,
    },
  };
}

/** What is no file: `pg_backup_stop` gives it, or it was read before its time. */
export function toListedContent(
  path: string,
  content: Buffer,
  like: Pick<ContentEntry, "mode" | "mtime" | "uid" | "gid">,
): ListedEntry<ClusterFile> {
  const { mode, mtime, uid, gid } = like;
  const size = content.length;
  return {
    entry: { path, type: "file", size, mode, mtime, uid, gid, link: "" },
    source: {
      place: Buffer.from(path),
      path: Buffer.from(path),
      size,
      mtime,
      sum: new FileSum(),
      firstBlock: undefined,
      handle: undefined,
      content,
    },
  };
}

async function openUnlessGone(place: Buffer): Promise<FileHandle | undefined> {
  try {
    return await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw unreadable(place.toString("utf8"), error);
  }
}
