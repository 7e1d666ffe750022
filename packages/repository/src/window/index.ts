// Everything that can be restored, as ranges between instants.

export {
  readRecoveryWindow,
  type RangeHole,
  type RecoveryWindow,
  type RestorableRange,
  type TimelineWindow,
} from "./window-read.ts";
