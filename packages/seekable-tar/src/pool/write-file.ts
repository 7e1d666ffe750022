import { closeSync, constants, fchmodSync, fchownSync, futimesSync, openSync, rmSync, writeSync } from "node:fs";
import { toFilePath } from "../tar/entry-name.ts";
import type { FileAttributes, FileCreation, FileWrite } from "./tasks.ts";
import { unwritable } from "./unwritable.ts";

/** Zero bytes are left out of a sparse file in blocks of this size, on this grid of file positions. */
const SPARSE_BLOCK_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(SPARSE_BLOCK_BYTES);

/** Writes one run of plain bytes to its place. Throws `FILE_UNWRITABLE` or `DISK_FULL`. */
export function writeRun(plain: Buffer, { fd, path, plainOffset, length, filePosition, sparse }: FileWrite): void {
  const run = plain.subarray(plainOffset, plainOffset + length);
  try {
    if (sparse) writeSparsely(fd, run, filePosition);
    else writeFully(fd, run, filePosition);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** Creates a file with its content and attributes. Throws `FILE_UNWRITABLE` or `DISK_FULL`. */
export function createFile(plain: Buffer, { path, at, plainOffset, length, attributes, replace }: FileCreation): void {
  const name = toFilePath(at);
  try {
    if (replace) rmSync(name, { force: true });
    const fd = openSync(name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    try {
      writeFully(fd, plain.subarray(plainOffset, plainOffset + length), 0);
      setAttributes(fd, attributes);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

function setAttributes(fd: number, { mode, mtime, owner }: FileAttributes): void {
  // The owner first: changing it takes away the set-user-ID bits of the mode.
  if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
  fchmodSync(fd, mode);
  futimesSync(fd, mtime, mtime);
}

function writeSparsely(fd: number, run: Buffer, filePosition: number): void {
  let pendingFrom = 0;
  for (let at = 0; at < run.length;) {
    const end = Math.min(run.length, at + SPARSE_BLOCK_BYTES - ((filePosition + at) % SPARSE_BLOCK_BYTES));
    if (ZEROS.compare(run, at, end, 0, end - at) === 0) {
      writeFully(fd, run.subarray(pendingFrom, at), filePosition + pendingFrom);
      pendingFrom = end;
    }
    at = end;
  }
  writeFully(fd, run.subarray(pendingFrom), filePosition + pendingFrom);
}

function writeFully(fd: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
}
