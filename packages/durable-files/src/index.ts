export type { Within } from "./held-directory.ts";
export {
  lstatIfPresent,
  namesIfPresent,
  openIfPresent,
  readIfPresent,
  readLinkIfPresent,
  type ReadOptions,
  readTextIfPresent,
  realPathIfPresent,
  statIfPresent,
  treeIfPresent,
} from "./if-present.ts";
export { type DirectoryOptions, makeDirectory } from "./make-directory.ts";
export { moveEntry } from "./move-entry.ts";
export { openForAppend } from "./open-for-append.ts";
export { isRoot, type Owner, ownerOf } from "./owner.ts";
export { isHeld, type LockHolder, lockState, type ProcessLock, tryLock } from "./process-lock.ts";
export { removeFile, type RemoveOptions } from "./remove-file.ts";
export { type LeftoverOptions, removeLeftovers } from "./remove-leftovers.ts";
export { replaceFile, type ReplaceOptions, type Sync, type WriteOptions } from "./replace-file.ts";
export { replaceLink } from "./replace-link.ts";
export { syncDirectory } from "./sync-directory.ts";
export type { FileContent } from "./temporary-file.ts";
export { meansAbsent, systemErrorCode, unreadable, unwritable, type WriteHints } from "./unwritable.ts";
export { writeNew } from "./write-new.ts";
export { writeZeros } from "./write-zeros.ts";
