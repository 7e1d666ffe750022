// The unfinished segment, piece by piece.

export {
  listTailPieces,
  listTailSegments,
  parseTailPieceKey,
  putTailPiece,
  readTailDigest,
  removeTail,
  type NewTailPiece,
  type PutTailOptions,
  type TailPiece,
  type TailRemoval,
} from "./tail-pieces.ts";
export { readTail, type Tail } from "./tail-read.ts";
