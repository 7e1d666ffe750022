import { SoarError } from "@soar/errors";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import type { DataDirectoryState } from "../../data-directory.ts";
import type { RestorePlan } from "../../plan/plan.ts";

/**
 * A directory of another cluster is never kept aside, overwritten or stopped (safety, trap 43). Throws `SERVER_VERSION` or
 * `DIRECTORY_FOREIGN` for one.
 */
export function requireOwn(dataDir: string, found: DataDirectoryState, { backup }: RestorePlan): void {
  if (found.state !== "running" && found.state !== "cluster" && found.state !== "remains") return;
  const major = majorOfVersionNumber(backup.postgresVersion);
  const identity = found.state === "remains" ? undefined : found.systemIdentifier;
  if (found.postgresMajor !== undefined && found.postgresMajor !== major) {
    throw new SoarError(
      "SERVER_VERSION",
      `unable to restore into '${dataDir}': it holds a cluster of PostgreSQL ${found.postgresMajor}, the backup is of PostgreSQL ${major}`,
      {
        hint: "Name another directory with --data-dir, or another repository in BACKUP_BUCKET. Nothing was changed.",
      },
    );
  }
  if (identity !== undefined && identity !== backup.systemIdentifier) {
    throw new SoarError(
      "DIRECTORY_FOREIGN",
      `unable to restore into '${dataDir}': it holds another cluster, with system identifier ${identity}, the backup's is ${backup.systemIdentifier}`,
      {
        hint: "Name another directory with --data-dir, or another repository in BACKUP_BUCKET. Nothing was changed.",
      },
    );
  }
}
