import { SoarError } from "@soar/errors";
import type { ArchivedLocalWal } from "./archive-local-wal.ts";

/** Whether the repository has everything that only this machine had. */
export function isAllStored(localWal: Pick<ArchivedLocalWal, "left"> | undefined): boolean {
  return localWal === undefined || localWal.left.length === 0;
}

/** Rejects what only had to store WAL and could not, with `WAL_MISSING`: the restore is not over then. */
export function requireAllStored(
  dataDir: string,
  localWal: Pick<ArchivedLocalWal, "left" | "reason"> | undefined,
): void {
  const [first] = localWal?.left ?? [];
  if (first === undefined) return;
  throw new SoarError(
    "WAL_MISSING",
    `unable to finish the restore in '${dataDir}': WAL from ${first.file} on is not in the repository: ${localWal?.reason}`,
    {
      hint: `When the reason is gone, give the same command again. To give that up: soar-restore forget --data-dir ${dataDir}.`,
    },
  );
}
