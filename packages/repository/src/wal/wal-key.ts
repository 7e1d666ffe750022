import type { Codec } from "@soar/seekable-tar";
import { codecSuffix, splitCodecSuffix } from "./codec-suffix.ts";
import { WAL_PREFIX } from "../records/keys.ts";

/** A WAL file as it lies in the bucket. */
export interface WalObject {
  /** PostgreSQL's file name, without the codec's suffix. */
  readonly name: string;
  readonly key: string;
  readonly codec: Codec;
  /** Stored bytes. */
  readonly size: number;
  /** Set for a segment that is not in the bucket: where it lies on this machine, in pg_wal of the lost server. */
  readonly file?: string | undefined;
}

/** Timeline history and backup history files are small and must be readable in an emergency: never compressed. */
export function isCompressibleWalFile(name: string): boolean {
  return /^[0-9A-F]{24}(\.partial)?$/.test(name);
}

/** `wal/<name>.zst`, `.gz`, or bare. */
export function walKey(name: string, codec: Codec): string {
  return `${WAL_PREFIX}${name}${isCompressibleWalFile(name) ? codecSuffix(codec) : ""}`;
}

/** The WAL file under a key, or undefined for a key outside `wal/` or in an encrypted form that this version cannot read. */
export function parseWalKey(key: string, size: number): WalObject | undefined {
  if (!key.startsWith(WAL_PREFIX) || key.endsWith(".age")) return undefined;
  const { base, codec } = splitCodecSuffix(key.slice(WAL_PREFIX.length));
  return { name: base, key, codec, size };
}
