import { SoarError } from "@soar/errors";
import { findDeclaredGap, listGaps, type ChainHole } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";

/** The reason that a target behind a hole in the WAL cannot be had. `what` is the target, for the message. */
export async function missingWal(
  store: ObjectStore,
  hole: ChainHole,
  { what, signal }: CallOptions & { readonly what: string },
): Promise<SoarError> {
  const segments =
    hole.count === 1
      ? `WAL segment '${hole.from}' is`
      : `WAL segments '${hole.from}' to '${hole.to}' (${hole.count}) are`;
  const gap = await describeGivenUp(store, hole, { signal });
  return new SoarError(
    "WAL_MISSING",
    `${what} cannot be reached: ${segments} not in the bucket, although later ones are${gap ?? ""}`,
    {
      hint:
        gap === undefined
          ? `If they are still in pg_wal of the server, archive them with soar-wal-archive; else restore to a time before '${hole.from}'.`
          : `Restore to a time before '${hole.from}', or from a base backup that began behind '${hole.to}'.`,
    },
  );
}

/** Who gave this WAL up and why, if somebody did. */
export async function describeGivenUp(
  store: ObjectStore,
  hole: ChainHole,
  options: CallOptions,
): Promise<string | undefined> {
  const gap = findDeclaredGap(await listGaps(store, options), hole);
  return gap && `: ${gap.declaredBy} gave them up at ${gap.declaredAt} (${gap.reason})`;
}
