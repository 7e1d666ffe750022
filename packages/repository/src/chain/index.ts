// Segments along one lineage, as far as they go without a hole, the tail included.

export { explainHole, type AbsentWal, type HolePart } from "./explain-hole.ts";
export { readChainSegment, scanChainSegment } from "./read-chain-segment.ts";
export { appendTail } from "./chain-tail.ts";
export {
  assembleChain,
  readWalChain,
  type ReadChainOptions,
  type ChainHole,
  type ChainSegment,
  type FrozenTail,
  type WalChain,
} from "./wal-chain.ts";
