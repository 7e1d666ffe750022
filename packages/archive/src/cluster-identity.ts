import { dirname, join, resolve } from "node:path";
import { readTrustedFile } from "@soar/durable-files/reading";
import { SoarError } from "@soar/errors";
import { readControlFile, type ControlFile } from "@soar/pg-tools/control-file";
import type { ClusterIdentity } from "@soar/repository";

/**
 * The cluster that a file in `pg_wal` belongs to, from `global/pg_control` beside it: history and backup history files
 * do not say it themselves. Rejects with `WAL_INVALID` when there is no control file to tell.
 */
export async function readClusterIdentity(walPath: string): Promise<ClusterIdentity> {
  const control = await readControlOf(walPath);
  return {
    systemIdentifier: String(control.systemIdentifier),
    postgresMajor: control.pgMajor,
    walSegmentSize: control.walSegmentSize,
  };
}

/** The control file beside `pg_wal`, for what it says beyond the identity. Rejects as `readClusterIdentity` does. */
export async function readControlOf(walPath: string): Promise<ControlFile> {
  // Lexical on purpose: pg_wal may be a symbolic link to another volume, and pg_control is not there.
  const controlFile = join(dirname(dirname(resolve(walPath))), "global", "pg_control");
  const bytes = await readTrustedFile(controlFile).catch((cause: unknown) => {
    throw new SoarError(
      "WAL_INVALID",
      `unable to tell which cluster '${walPath}' belongs to: '${controlFile}' cannot be read`,
      {
        cause,
        hint: "Pass the path of the file inside the data directory's pg_wal, as PostgreSQL does with %p.",
      },
    );
  });
  return readControlFile(bytes);
}
