import { backupKey } from "@soar/repository";
import type { SeekTableSummary } from "@soar/seekable-tar";
import { LABEL, type Small } from "./layout.ts";

export const TABLE_FILE = "index.zst";
export const SUMMARY_FILE = "summary.json";

export type Summary = SeekTableSummary & { readonly tar: number };

export const keyOf = (name: string): string => backupKey(LABEL, name);

/** Files without which nothing is taken for a data directory; what they hold is of no account here. */
export function smallFiles(): Small[] {
  return [
    { path: "PG_VERSION", bytes: Buffer.from("15\n") },
    { path: "backup_label", bytes: Buffer.from("LABEL: synthetic\n") },
    { path: "global/pg_control", bytes: Buffer.alloc(8192, 3) },
  ];
}
