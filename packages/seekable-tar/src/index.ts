export { type Codec, CODECS, DEFAULT_CHUNK_BYTES, DEFAULT_LEVELS } from "./codec/codec.ts";
export { compressMember, compressMemberSync, type CompressOptions, decompressMember, decompressMemberSync } from "./codec/member.ts";
export { type CodecPool, type CodecPoolOptions, type CompressedMember, type CompressTaskOptions, createCodecPool, type DecompressTaskOptions } from "./codec-pool.ts";
export { mapOrdered, type MapOrderedOptions } from "./pool/map-ordered.ts";
export type { FileWrite } from "./pool/tasks.ts";
