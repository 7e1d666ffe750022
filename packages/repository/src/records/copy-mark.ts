import { join } from "node:path";
import { statIfPresent } from "@soar/durable-files";
import { SoarError } from "@soar/errors";

/** A file in the data directory of a copy of a cluster, until it is adopted. */
export const COPY_MARK = "soar-copy";

/**
 * Rejects with `REPOSITORY_FOREIGN` for the data directory of a copy: its WAL has the names, and the system identifier, of
 * the cluster that it comes from, so that nothing but this tells the two apart. With `FILE_UNREADABLE` where it cannot be told.
 */
export async function requireNoCopy(dataDir: string): Promise<void> {
  if ((await statIfPresent(join(dataDir, COPY_MARK))) === undefined) return;
  throw new SoarError(
    "REPOSITORY_FOREIGN",
    `unable to archive from '${dataDir}': it is a copy of the cluster that the repository belongs to`,
    {
      hint: `When it is to take that cluster's place, for good: soar-restore adopt --data-dir '${dataDir}'. Else give it a bucket or prefix of its own first.`,
    },
  );
}
