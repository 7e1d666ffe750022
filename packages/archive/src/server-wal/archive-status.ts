import { join } from "node:path";
import { listDirectory } from "./list-directory.ts";

/** What PostgreSQL says about its finished WAL files in `pg_wal/archive_status`. */
export interface ArchiveStatus {
  /** Files with a `.ready`: to be archived, in the order in which PostgreSQL asks for them. */
  readonly ready: readonly string[];
  /** Files with a `.done`: PostgreSQL was told that they are archived. */
  readonly done: readonly string[];
}

export function archiveStatusDirectory(dataDir: string): string {
  return join(dataDir, "pg_wal", "archive_status");
}

/** Rejects with `FILE_UNREADABLE`. */
export async function readArchiveStatus(dataDir: string): Promise<ArchiveStatus> {
  const [ready, done]: [string[], string[]] = [[], []];
  for (const file of await listDirectory(archiveStatusDirectory(dataDir))) {
    if (file.endsWith(".ready")) ready.push(file.slice(0, -6));
    else if (file.endsWith(".done")) done.push(file.slice(0, -5));
  }
  return { ready: ready.sort(compareArchiveOrder), done: done.sort(compareArchiveOrder) };
}

/** History files first, because a timeline without its history cannot be followed; then by name (pgarch.c, ready_file_comparator). */
export function compareArchiveOrder(a: string, b: string): number {
  const [historyA, historyB] = [a.endsWith(".history"), b.endsWith(".history")];
  if (historyA !== historyB) return historyA ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
