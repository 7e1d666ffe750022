import { join } from "node:path";

/** Where a WAL file of a cluster lies. */
export function walPath(dataDir: string, name: string): string {
  return join(dataDir, "pg_wal", name);
}
