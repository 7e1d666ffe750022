import { SoarError } from "@soar/errors";
import { explainHole, type WalChain } from "@soar/repository/chain";
import { listExpiredWal, listGaps } from "@soar/repository/markers";
import type { CallOptions, ObjectStore } from "@soar/storage";

/** The reason that a target behind the first hole of a chain cannot be had. `what` is the target, for the message. */
export async function missingWal(
  store: ObjectStore,
  chain: Pick<WalChain, "holes" | "segmentSize">,
  { what, signal }: CallOptions & { readonly what: string },
): Promise<SoarError> {
  const [hole] = chain.holes;
  if (hole === undefined) throw new Error("a chain without a hole lacks nothing");
  const segments =
    hole.count === 1
      ? `WAL segment '${hole.from}' is`
      : `WAL segments '${hole.from}' to '${hole.to}' (${hole.count}) are`;
  const reason = await whyAbsent(store, chain, { signal });
  return new SoarError(
    "WAL_MISSING",
    `${what} cannot be reached: ${segments} not in the bucket, although later ones are${reason ?? ""}`,
    {
      hint:
        reason === undefined
          ? `If they are still in pg_wal of the server, archive them with soar-wal-archive; else restore to a time before '${hole.from}'.`
          : `Restore to a time before '${hole.from}', or from a base backup that began behind '${hole.to}'.`,
    },
  );
}

/** Who gave up or removed the WAL of the first hole, where somebody did; undefined for WAL that is lost. */
export async function whyAbsent(
  store: ObjectStore,
  { holes: [hole], segmentSize }: Pick<WalChain, "holes" | "segmentSize">,
  options: CallOptions,
): Promise<string | undefined> {
  if (hole === undefined) return undefined;
  const absent = { gaps: await listGaps(store, options), expired: await listExpiredWal(store, options) };
  const parts = explainHole(hole, segmentSize, absent);
  if (parts.some(({ cause }) => cause === "missing")) return undefined;
  const gap = parts.find(({ gap: given }) => given !== undefined)?.gap;
  return gap === undefined
    ? ": expiry removed them, because the window does not reach back to them"
    : `: ${gap.declaredBy} gave them up at ${gap.declaredAt} (${gap.reason})`;
}
