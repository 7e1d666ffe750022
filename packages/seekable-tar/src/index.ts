export { type Codec, CODECS, DEFAULT_LEVELS } from "./codec/codec.ts";
export { compressMember, compressMemberSync, type CompressOptions, decompressMember, decompressMemberSync } from "./codec/member.ts";
