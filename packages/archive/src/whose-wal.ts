import { hasErrorCode } from "@soar/errors";
import { findRepositoryRecord, type ClusterIdentity } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { readClusterIdentity } from "./cluster-identity.ts";
import { walPath } from "./server-wal/wal-path.ts";

/**
 * Whose a file is that does not say so itself, or is not to be read: the cluster's beside it; else that of the data directory
 * which the server has told the command; else the one that the repository belongs to, because its other files came from
 * there. Rejects with `WAL_INVALID`.
 */
export async function requireIdentityOf(
  store: ObjectStore,
  path: string,
  { dataDirs = [], signal }: CallOptions & { readonly dataDirs?: readonly string[] | undefined },
): Promise<ClusterIdentity> {
  let unknown: unknown;
  for (const place of [path, ...dataDirs.map((dataDir) => walPath(dataDir, "x"))]) {
    try {
      return await readClusterIdentity(place);
    } catch (error) {
      if (!hasErrorCode(error, "WAL_INVALID")) throw error;
      unknown ??= error;
    }
  }
  const record = await findRepositoryRecord(store, { signal });
  if (record === undefined) throw unknown;
  const { systemIdentifier, postgresMajor, walSegmentSize } = record;
  return { systemIdentifier, postgresMajor, walSegmentSize };
}
