import type { CallOptions, ObjectStore } from "@soar/storage";
import {
  createRepositoryRecord,
  findRepositoryRecord,
  requireSameCluster,
  type ClusterIdentity,
  type RepositoryRecord,
} from "../records/repository-record.ts";
import { requireContentsOf } from "./require-contents-of.ts";

export interface ClaimOptions extends CallOptions {
  /** Name and version of the program. */
  readonly toolVersion: string;
  readonly now: Date;
  /** What `findRepositoryRecord` finds, where it was asked before. */
  readonly found?: Promise<RepositoryRecord | undefined> | undefined;
}

/**
 * Makes sure that the repository belongs to this cluster, and creates its record when there is none yet: of a new repository, or of
 * one whose record was lost, and which is then known by what it holds.
 * Rejects with `REPOSITORY_FOREIGN` and writes nothing for any other cluster.
 */
export async function claimRepository(
  store: ObjectStore,
  identity: ClusterIdentity,
  options: ClaimOptions,
): Promise<RepositoryRecord> {
  const found = await (options.found ?? findRepositoryRecord(store, options));
  if (found === undefined) await requireContentsOf(store, identity, options);
  const record = found ?? (await createRepositoryRecord(store, identity, options));
  requireSameCluster(record, identity, store.location);
  return record;
}
