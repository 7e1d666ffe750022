// Archives that are made of entries instead of a tar stream: laid out first, then packed side by side.

export { decodeName, encodeName } from "./tar/entry-name.ts";
export { ARCHIVE_END_BYTES, formatHeader, paddingOf, type WritableEntry } from "./tar/format-header.ts";
export { requireCompressionLevel } from "./codec/codec.ts";
export { crc32cOf, storedDigestOf } from "./codec/sums.ts";
export { DigestFilter } from "./table/digest-filter.ts";
export {
  type BundlePart,
  type EndOfBundle,
  layOutMembers,
  type ListedEntry,
  type MemberLayout,
} from "./write/lay-out-members.ts";
export {
  type FurtherObjects,
  type NewMember,
  type PackedMember,
  writeMembers,
  type WriteMembersOptions,
} from "./write/member-writer.ts";
