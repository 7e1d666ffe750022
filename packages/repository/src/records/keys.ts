import { toHex8 } from "@soar/pg-tools";

/**
 * Every key of a repository is made here and nowhere else. `docs/bucket-format.md` draws the tree.
 * Keys are relative to the repository's prefix.
 */

export const CONFIG_KEY = "config/backup-config.json";
export const GAP_PREFIX = "config/gaps/";
export const LEASE_PREFIX = "config/leases/";
export const EXPIRED_PREFIX = "config/expired/";
/** Where the probe of conditional puts writes; nothing there is ever read again. */
export const PROBE_PREFIX = "config/probe/";
export const BASE_PREFIX = "base/";
export const WAL_PREFIX = "wal/";
export const TAIL_PREFIX = "tail/";
/** Below which uploads in parts may have been begun: small objects go so, too, where a put is not decided by the server. */
export const UPLOAD_PREFIXES: readonly string[] = [BASE_PREFIX, WAL_PREFIX, TAIL_PREFIX, "config/"];

/** Names of the objects of one backup, below `base/<label>/`. */
export const BACKUP_OBJECTS = {
  record: "backup.json",
  started: "started.json",
  keep: "keep.json",
  index: "index.zst",
  backupLabel: "backup_label",
  tablespaceMap: "tablespace_map",
  manifest: "backup_manifest",
  serverConfig: "server-config.tar.gz",
} as const;

export function backupPrefix(label: string): string {
  return `${BASE_PREFIX}${label}/`;
}

export function backupKey(label: string, name: string): string {
  return `${backupPrefix(label)}${name}`;
}

/** `base/2025-01-05/backup.json` -> label `2025-01-05`, name `backup.json`; undefined for a key that is not of a backup. */
export function parseBackupKey(key: string): { label: string; name: string } | undefined {
  const [, label, name] = /^base\/([^/]+)\/(.+)$/.exec(key) ?? [];
  return label === undefined || name === undefined ? undefined : { label, name };
}

export function leaseKey(id: string): string {
  return `${LEASE_PREFIX}${id}.json`;
}

export function gapKey(from: string, to: string): string {
  return `${GAP_PREFIX}${from}-${to}.json`;
}

export function expiredKey(id: string): string {
  return `${EXPIRED_PREFIX}${id}.json`;
}

/** The directory of one unfinished segment's pieces. */
export function tailPrefix(segmentName: string): string {
  return `${TAIL_PREFIX}${segmentName}/`;
}

/** `tail/<segment>/00000000-0001A2F0.zst`: bytes `from` (inclusive) to `to` (exclusive) of the segment. */
export function tailPieceKey(segmentName: string, from: number, to: number): string {
  return `${tailPrefix(segmentName)}${toHex8(from)}-${toHex8(to)}.zst`;
}
