import { closeSync } from "node:fs";
import { join } from "node:path";
import { meansAbsent, unreadable } from "@soar/durable-files";
import { openFileBelow, type ReadableTree } from "@soar/durable-files/reading";
import { parseRelationPath } from "@soar/pg-tools/page-checksum";
import type { ContentEntry } from "@soar/pg-tools/backup-contents";
import { decodeName, type ListedEntry } from "@soar/seekable-tar/members";
import type { OpenedFile } from "../source/backup-source.ts";
import { FileSum } from "./file-sums.ts";

/** A file of the cluster on its way into the backup. */
export interface ClusterFile {
  readonly tree: ReadableTree;
  /** Where it lies below the tree, as bytes. */
  readonly place: Buffer;
  /** Relative to the data directory, as the manifest names it. */
  readonly path: Buffer;
  readonly size: number;
  readonly mtime: number;
  readonly sum: FileSum;
  /** Number of the file's first block in its fork, when it holds pages. */
  readonly firstBlock: number | undefined;
  /** Open from here on, so that all of its chunks are those of one file. */
  readonly opened: OpenedFile | undefined;
  /** Content that is known already, instead of a file. */
  readonly content: Buffer | undefined;
}

export interface ListingPlace {
  /** The directory that was listed. */
  readonly tree: ReadableTree;
  /** What stands in front of its paths in the manifest: `pg_tblspc/OID/` for a tablespace. */
  readonly prefix: string;
  /** Files from this size on are opened here. */
  readonly largeFileBytes: number;
  readonly blocksPerFile: number;
}

/** Of content that lies in no file. */
const NO_TREE: ReadableTree = { path: "", descriptor: undefined, reader: undefined };

/** Undefined for a large file that has vanished meanwhile. */
export function toListedEntry(
  { type, path, ...entry }: ContentEntry,
  { tree, prefix, largeFileBytes, blocksPerFile }: ListingPlace,
): ListedEntry<ClusterFile> | undefined {
  const listed = { ...entry, path: decodeName(path), link: "", type };
  if (type !== "file") return { entry: listed };
  const opened = entry.size >= largeFileBytes ? openUnlessGone(tree, path) : undefined;
  if (entry.size >= largeFileBytes && opened === undefined) return undefined;
  const inCluster = Buffer.concat([Buffer.from(prefix), path]);
  const relation = parseRelationPath(inCluster.toString("latin1"));
  return {
    entry: listed,
    source: {
      tree,
      place: path,
      path: inCluster,
      size: entry.size,
      mtime: entry.mtime,
      sum: new FileSum(),
      firstBlock: relation && relation.segment * blocksPerFile,
      opened,
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
      tree: NO_TREE,
      place: Buffer.from(path),
      path: Buffer.from(path),
      size,
      mtime,
      sum: new FileSum(),
      firstBlock: undefined,
      opened: undefined,
      content,
    },
  };
}

export function openUnlessGone(tree: ReadableTree, place: Buffer): OpenedFile | undefined {
  try {
    const fd = openFileBelow(tree, place);
    if (fd === undefined) return undefined;
    let isOpen = true;
    return {
      fd,
      close() {
        if (isOpen) closeSync(fd);
        isOpen = false;
      },
    };
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw unreadable(join(tree.path, place.toString("utf8")), error);
  }
}
