// What a restore finds in the place of a server, and what it leaves beside it.

export { discardKept, listKeptData, requireDiscardable, whyNotDiscardable, type KeptData } from "./discard-kept.ts";
export {
  compareServerConfig,
  type ConfigComparison,
  type ConfigDifference,
} from "../server-config/config-difference.ts";
export { finishUnplanned, type FinishUnplannedOptions } from "./finish-unplanned.ts";
export { findForgettable, findOpened, forgetRestore, type OpenedRestore } from "./forget-restore.ts";
export { lineDifference } from "./line-difference.ts";
export { findLocalWalPlaces } from "./local-wal-places.ts";
