// Which blocks and files the WAL changes: read from its records, written down, and united over a stretch of WAL.

export { ChangeCollector } from "./collect-changes.ts";
export { formatChanges, coarsenChanges } from "./format-changes.ts";
export { ChangedBlocks } from "./changed-blocks.ts";
export { parseChanges } from "./parse-changes.ts";
export { createRemovalScanner, type RemovedRelation, type Removals, type RemovalScanner } from "./removal-scanner.ts";
export { isRemovedBy, parseStateFile, stateDistance, type StateFile, type StateRemoval } from "./state-removals.ts";
export { LARGEST_UNIT, MOST_RELATIONS } from "./segment-changes.ts";
export type { ChangeDoubt, DatabaseDirectory, RelationChanges, SegmentChanges } from "./segment-changes.ts";
