import { access } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";

/** A file in the data directory of a copy of a cluster, until it is adopted. */
export const COPY_MARK = "soar-copy";

/**
 * Rejects with `REPOSITORY_FOREIGN` for the data directory of a copy: its WAL has the names, and the system identifier, of
 * the cluster that it comes from, so that nothing but this tells the two apart.
 */
export async function requireNoCopy(dataDir: string): Promise<void> {
  const mark = join(dataDir, COPY_MARK);
  try {
    await access(mark);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return;
    throw new SoarError(
      "FILE_UNREADABLE",
      `unable to tell whether '${dataDir}' is a copy: ${(error as Error).message}`,
      { cause: error },
    );
  }
  throw new SoarError(
    "REPOSITORY_FOREIGN",
    `unable to archive from '${dataDir}': it is a copy of the cluster that the repository belongs to`,
    {
      hint: `When it is to take that cluster's place, for good: soar-restore adopt --data-dir '${dataDir}'. Else give it a bucket or prefix of its own first.`,
    },
  );
}
