// Reading what somebody else may exchange at any moment, with no more rights than that user has.

export { openTrustedFile, readTrustedFile } from "./open-trusted.ts";
export {
  type HeldTree,
  holdTree,
  openDirectoryBelow,
  openFileBelow,
  type ReadableTree,
  type Reader,
} from "./read-below.ts";
