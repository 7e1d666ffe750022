import { hasErrorCode } from "@soar/errors";
import { findRepositoryRecord, type ClusterIdentity } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { readClusterIdentity } from "./cluster-identity.ts";
import { walPath } from "./server-wal/wal-path.ts";

/**
 * Whose a file is that does not say so itself, or is not to be read: the cluster's beside it; else that of the data directory
 * of the server which gave it. Rejects with `WAL_INVALID`.
 */
export async function requireOwnIdentityOf(path: string, dataDir: string | undefined): Promise<ClusterIdentity> {
  try {
    return await readClusterIdentity(path);
  } catch (unknown) {
    if (dataDir === undefined || !hasErrorCode(unknown, "WAL_INVALID")) throw unknown;
    return await readClusterIdentity(walPath(dataDir, "x")).catch(() => Promise.reject(unknown));
  }
}

/** The same, or the one that the repository belongs to, because its other files came from there. Rejects with `WAL_INVALID`. */
export async function requireIdentityOf(
  store: ObjectStore,
  path: string,
  { dataDir, signal }: CallOptions & { readonly dataDir?: string | undefined },
): Promise<ClusterIdentity> {
  try {
    return await requireOwnIdentityOf(path, dataDir);
  } catch (unknown) {
    const record = hasErrorCode(unknown, "WAL_INVALID") ? await findRepositoryRecord(store, { signal }) : undefined;
    if (record === undefined) throw unknown;
    const { systemIdentifier, postgresMajor, walSegmentSize } = record;
    return { systemIdentifier, postgresMajor, walSegmentSize };
  }
}
