import type { WalFileName } from "@soar/pg-tools";
import { requireRepositoryRecord, requireSameCluster } from "@soar/repository";
import { findGap, type GapRecord } from "@soar/repository/markers";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { requireOwnIdentityOf } from "../whose-wal.ts";
import { findMarkedGaps } from "./gap-markers.ts";

/** A segment that is not archived and never will be, because somebody gave it up. */
export interface GivenUpWal {
  readonly outcome: "given up";
  readonly gap: GapRecord;
}

/**
 * Whether this segment of this cluster was given up: only by a record in the bucket, where everybody sees the hole. The
 * segment itself is not read, because a damaged one may be the reason. Rejects with `REPOSITORY_FOREIGN` for another
 * cluster, with `WAL_INVALID` where nothing but the repository says which one it is of, or as the store does.
 */
export async function findGivenUp(
  store: ObjectStore,
  file: { readonly path: string; readonly kind: WalFileName },
  options: CallOptions & {
    readonly spoolDir?: string | undefined;
    /** As in `PushOptions`. */
    readonly dataDir?: string | undefined;
  },
): Promise<GivenUpWal | undefined> {
  const { kind, path } = file;
  const { spoolDir, signal } = options;
  if (spoolDir === undefined || kind.kind !== "segment") return undefined;
  for (const range of await findMarkedGaps(spoolDir, kind.name)) {
    const gap = await findGap(store, range, { signal });
    if (gap === undefined || kind.name < gap.from || kind.name > gap.to) continue;
    requireSameCluster(
      await requireRepositoryRecord(store, { signal }),
      await requireOwnIdentityOf(path, options.dataDir),
      store.location,
    );
    return { outcome: "given up", gap };
  }
  return undefined;
}

/** For the server's log, once per segment. */
export function describeGivenUp(name: string, { from, to, declaredBy, declaredAt, reason }: GapRecord): string {
  return `WAL segment '${name}' was given up and is not in the bucket: it lies in the gap ${from} to ${to} that ${declaredBy} declared at ${declaredAt} (${reason})`;
}
