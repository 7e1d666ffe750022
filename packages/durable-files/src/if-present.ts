import { type BigIntStats, constants, type Dirent, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { holdDirectory, type Within } from "./held-directory.ts";
import { openTrustedFile, readTrustedFile } from "./open-trusted.ts";
import { meansAbsent, PlaceError, systemErrorCode, unreadable } from "./unwritable.ts";

export interface ReadOptions {
  /** No link is followed, neither on the way nor as the file itself, which must be an ordinary one. */
  readonly within?: Within | undefined;
  /** For the error when it is there and cannot be read. */
  readonly hint?: string | undefined;
}

/**
 * Each of these resolves to undefined when there is nothing of this name, also because a part of the path is no directory, and
 * rejects with `FILE_UNREADABLE` for every other reason: what cannot be looked at is not absent.
 */

/** The content of an ordinary file. As root, nobody's links lead to what is not theirs: see `openTrustedFile`. */
export async function readIfPresent(path: string, { within, hint }: ReadOptions = {}): Promise<Buffer | undefined> {
  return await ifPresent(path, within === undefined ? readTrustedFile(path) : readWithin(path, within), hint);
}

/** The content of a file of UTF-8 text. */
export async function readTextIfPresent(path: string, options: ReadOptions = {}): Promise<string | undefined> {
  return (await readIfPresent(path, options))?.toString("utf8");
}

/** An ordinary file that is open for reading. As root, links are followed as for reading it whole. */
export async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  return await ifPresent(path, openTrustedFile(path));
}

/** An ordinary file that is open for reading; no link of this name is followed. */
export async function openOrdinaryIfPresent(
  path: string,
  { within, hint }: ReadOptions = {},
): Promise<FileHandle | undefined> {
  return await ifPresent(path, openWithin(path, within), hint);
}

/** The path without links. */
export async function realPathIfPresent(path: string): Promise<string | undefined> {
  return await ifPresent(path, realpath(path));
}

/** Follows links: undefined also for one that leads to nothing. */
export async function statIfPresent(path: string): Promise<Stats | undefined>;
export async function statIfPresent(path: string, exact: { readonly bigint: true }): Promise<BigIntStats | undefined>;
export async function statIfPresent(
  path: string,
  exact?: { readonly bigint: true },
): Promise<Stats | BigIntStats | undefined> {
  return await ifPresent(path, stat(path, exact));
}

/** Of the name itself, wherever a link leads to. */
export async function lstatIfPresent(path: string): Promise<Stats | undefined> {
  return await ifPresent(path, lstat(path));
}

/** The names in a directory, in no order. */
export async function namesIfPresent(
  directory: string,
  { hint }: Pick<ReadOptions, "hint"> = {},
): Promise<string[] | undefined> {
  return await ifPresent(directory, readdir(directory), hint);
}

/** Everything below a directory, at any depth. */
export async function treeIfPresent(directory: string): Promise<Dirent[] | undefined> {
  return await ifPresent(directory, readdir(directory, { withFileTypes: true, recursive: true }));
}

/** What a symbolic link says; undefined also for what is no link. */
export async function readLinkIfPresent(path: string): Promise<string | undefined> {
  return await ifPresent(path, readlink(path)).catch((error: unknown) => {
    if (systemErrorCode(error) === "EINVAL") return undefined;
    throw error;
  });
}

async function readWithin(path: string, within: Within): Promise<Buffer> {
  await using file = await openWithin(path, within);
  return await file.readFile();
}

async function openWithin(path: string, within: Within | undefined): Promise<FileHandle> {
  await using directory = await holdDirectory(dirname(path), within);
  // Without waiting for whoever might write to a pipe of this name.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(directory.at(basename(path)), flags);
  try {
    if (!(await file.stat()).isFile()) throw new PlaceError("it is no ordinary file", undefined);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function ifPresent<T>(path: string, looking: Promise<T>, hint?: string): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw unreadable(path, error, hint);
  }
}
