// Whole directories: held open, made for a while, removed with everything in them.

export { enterDirectory, type HeldDirectory, holdDirectory } from "./held-directory.ts";
export { makeTemporaryDirectory, type TemporaryDirectoryOptions } from "./make-temporary-directory.ts";
export { openTemporaryDirectory, type OpenTemporaryDirectory } from "./open-temporary-directory.ts";
export { emptyDirectory, type EmptyOptions, removeTree, type TreeOptions } from "./remove-tree.ts";
