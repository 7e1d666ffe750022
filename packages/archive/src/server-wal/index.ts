// What the data directory of the server says of its WAL.

export { createPositionHistory, type PositionHistory } from "./position-history.ts";
export { finishedAt, readFinishedSegments, readWalDirectory, type WalDirectory } from "./wal-directory.ts";
