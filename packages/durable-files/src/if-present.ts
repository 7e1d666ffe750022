import type { BigIntStats, Dirent, Stats } from "node:fs";
import { type FileHandle, lstat, open, readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { meansAbsent, systemErrorCode, unreadable } from "./unwritable.ts";

/**
 * Each of these resolves to undefined when there is nothing of this name, also because a part of the path is no directory, and
 * rejects with `FILE_UNREADABLE` for every other reason: what cannot be looked at is not absent.
 */

/** The content of a file. */
export async function readIfPresent(path: string): Promise<Buffer | undefined> {
  return await ifPresent(path, readFile(path));
}

/** The content of a file of UTF-8 text. */
export async function readTextIfPresent(path: string): Promise<string | undefined> {
  return await ifPresent(path, readFile(path, "utf8"));
}

/** A file that is open for reading. */
export async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  return await ifPresent(path, open(path, "r"));
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
export async function namesIfPresent(directory: string): Promise<string[] | undefined> {
  return await ifPresent(directory, readdir(directory));
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

async function ifPresent<T>(path: string, looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw unreadable(path, error);
  }
}
