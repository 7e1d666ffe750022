import { messageOf } from "@soar/errors";
import { Header } from "tar/header";
import { invalid } from "../codec/damage.ts";
import { decodeName } from "./entry-name.ts";
import type { PaxFields } from "./pax-records.ts";
import type { TarEntry, TarEntryType } from "./tar-entry.ts";

export const BLOCK_BYTES = 512;
const WHAT = "a tar header";

/** What one header block announces: the end, an entry, or a header about the next entry with a body of its own. */
export type TarHeader =
  | { readonly kind: "end" }
  | { readonly kind: "entry"; readonly entry: TarEntry }
  | { readonly kind: "extension"; readonly about: Extension; readonly size: number };

/** `pax` and `global` carry records, the others a long name. */
export type Extension = "pax" | "global" | "path" | "linkpath";

const ENTRY_TYPES: ReadonlyMap<string, TarEntryType> = new Map([
  ["File", "file"],
  ["OldFile", "file"],
  ["ContiguousFile", "file"],
  ["Directory", "directory"],
  ["SymbolicLink", "symlink"],
  ["Link", "link"],
  ["CharacterDevice", "special"],
  ["BlockDevice", "special"],
  ["FIFO", "special"],
]);

const EXTENSIONS: ReadonlyMap<string, Extension> = new Map([
  ["ExtendedHeader", "pax"],
  ["GlobalExtendedHeader", "global"],
  ["NextFileHasLongPath", "path"],
  ["NextFileHasLongLinkpath", "linkpath"],
]);

/**
 * Reads one block of 512 bytes. `local` and `global` are the fields of the extended headers in front of it. Throws
 * `FORMAT_INVALID` for a wrong checksum and for types that would not come back as they were (sparse files, for example).
 */
export function parseHeader(block: Buffer, local: PaxFields, global: PaxFields): TarHeader {
  const header = decode(block, local, global);
  if (header.nullBlock) return { kind: "end" };
  if (!header.cksumValid) throw invalid(WHAT, "its checksum is wrong");
  const extension = EXTENSIONS.get(header.type);
  const size = requireSize(header.size);
  if (extension !== undefined) return { kind: "extension", about: extension, size };
  const type = ENTRY_TYPES.get(header.type);
  if (type === undefined)
    throw invalid(WHAT, `entries of type '${block.toString("latin1", 156, 157)}' are not supported`);
  if (type !== "file" && size !== 0) throw invalid(WHAT, `a ${type} has ${size} bytes of content`);
  return { kind: "entry", entry: toEntry(block, header, type, size, local) };
}

function decode(block: Buffer, local: PaxFields, global: PaxFields): Header {
  try {
    return new Header(block, 0, local, global);
  } catch (cause) {
    throw invalid(WHAT, messageOf(cause), { cause });
  }
}

function toEntry(block: Buffer, header: Header, type: TarEntryType, size: number, local: PaxFields): TarEntry {
  return {
    path: tidyPath(exactPath(block, header, local)),
    type,
    size,
    mode: (header.mode ?? 0) & 0o7777,
    mtime: (header.mtime?.getTime() ?? 0) / 1000,
    uid: header.uid ?? 0,
    gid: header.gid ?? 0,
    link: type === "symlink" || type === "link" ? (local.linkpath ?? decodeName(field(block, 157, 100))) : "",
  };
}

/** `tar` decodes names as UTF-8 and puts replacement characters where they are not. */
function exactPath(block: Buffer, header: Header, local: PaxFields): string {
  const path = header.path ?? "";
  if (local.path !== undefined) return local.path;
  if (!path.includes("\ufffd")) return path;
  const name = field(block, 0, 100);
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? field(block, 345, 155) : Buffer.alloc(0);
  return decodeName(prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]));
}

function field(block: Buffer, at: number, length: number): Buffer {
  const bytes = block.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function tidyPath(path: string): string {
  const tidy = path.replace(/^(?:\.\/+)+/, "").replace(/\/+$/, "");
  // What was only slashes was the absolute root, which is no path inside of an archive; extraction refuses it.
  return tidy === "" ? (path.startsWith("/") ? "/" : ".") : tidy;
}

function requireSize(size: number | undefined): number {
  if (size === undefined || !Number.isSafeInteger(size) || size < 0) throw invalid(WHAT, "its size is no whole number");
  return size;
}
