import { randomUUID } from "node:crypto";
import { hasErrorCode, messageOf, SoarError } from "@soar/errors";
import type { ObjectStore } from "@soar/storage";
import { abortUpload, abortWithin, probeServer, type HabitName, type ProbedHabits } from "@soar/storage/probes";
import type { Notes } from "./examination.ts";

const TWO_WRITERS =
  "Keep versions in the bucket, so that nothing that was overwritten is lost, and let no second host archive into this prefix.";

/** Habits that have a line of their own below. */
const TOLD_APART: readonly HabitName[] = [
  "conditionalPut",
  "atomicPut",
  "conditionalComplete",
  "maxParts",
  "rivalUploads",
];

/** Asks the provider for what nobody may find out too late, and tells of the answers. */
export async function examineProvider(
  store: ObjectStore,
  keyPrefix: string,
  { notes, signal }: { readonly notes: Notes; readonly signal: AbortSignal | undefined },
): Promise<ProbedHabits> {
  const habits = await probeServer(store, keyPrefix, { signal });
  const { conditionalPut, atomicPut, conditionalComplete, maxParts } = habits;
  if (conditionalPut === "honoured")
    notes.ok("conditional-put", "the provider itself refuses to overwrite ('only if absent' is honoured)");
  else
    notes.warning(
      "conditional-put",
      `'only if absent' is ${conditionalPut} by the provider: two writers at the same moment are detected, but not prevented`,
      TWO_WRITERS,
    );
  if (atomicPut === "no" && conditionalPut === "honoured")
    notes.warning(
      "overlapping-puts",
      "of two puts of one object that overlap the provider accepts both, and keeps one: what is stored is compared afterwards",
      TWO_WRITERS,
    );
  if (conditionalComplete !== undefined && conditionalComplete !== "honoured" && conditionalComplete !== conditionalPut)
    notes.warning(
      "conditional-upload",
      `'only if absent' of uploads in parts is ${conditionalComplete} by the provider: other uploads of the same object are ended before each of them, and it is looked at before and compared after`,
      TWO_WRITERS,
    );
  const isDecided = [conditionalPut, conditionalComplete ?? "honoured"].every((way) => way === "honoured");
  if (store.features.server !== undefined && (!isDecided || atomicPut === "no"))
    await examineRivals(store, keyPrefix, { notes, signal });
  if (maxParts !== undefined) notes.ok("max-parts", `an upload may have ${maxParts} parts`);
  return habits;
}

/** Whether this key may do what prevents two writers where the provider does not decide: see `rivalUploads`. */
async function examineRivals(
  store: ObjectStore,
  keyPrefix: string,
  { notes, signal }: { readonly notes: Notes; readonly signal: AbortSignal | undefined },
): Promise<void> {
  try {
    await endRival(store, `${keyPrefix}rival-`, signal);
    notes.ok(
      "rival-uploads",
      "uploads of another writer of an object may be listed and ended: of two uploads at the same moment one at most succeeds",
    );
  } catch (error) {
    if (!hasErrorCode(error, "STORE_DENIED", "STORE_UNSUPPORTED", "STORE_PROTOCOL", "STORE_UNREACHABLE")) throw error;
    notes.warning(
      "rival-uploads",
      `two writers at the same moment are detected, but not prevented, in uploads either: ${messageOf(error)}`,
      `Allow s3:ListBucketMultipartUploads and s3:AbortMultipartUpload to the key of every host that writes. ${TWO_WRITERS}`,
    );
  }
}

/** Of another doctor, who may be at it at the same time. */
const LEFT_MS = 60 * 60_000;

/** Does what a writer does to a rival: finds its upload, and ends it. Rejects where that does not work. */
async function endRival(store: ObjectStore, prefix: string, signal: AbortSignal | undefined): Promise<void> {
  // What an earlier run had to leave comes first: where it can still not be ended, no further upload is left.
  const now = store.features.clock()?.getTime() ?? Date.now();
  await store.abortStaleUploads(prefix, new Date(now - LEFT_MS), { signal });
  const key = `${prefix}${randomUUID()}`;
  const upload = await store.beginMultipart(key, { partSize: store.features.minPartSize, signal });
  let isListed: boolean;
  try {
    isListed = (await store.listUploads(key, { signal })).some((listed) => listed.key === key);
  } catch (error) {
    throw await abortUpload(upload, error);
  }
  await abortWithin(upload);
  if (isListed) return;
  throw new SoarError(
    "STORE_PROTOCOL",
    `the provider's list of unfinished uploads has none of '${key}', which was begun`,
  );
}

/** How this provider wants to be spoken to, otherwise than others: nothing is wrong with it, and it explains requests that fail. */
export function tellHabits({ features }: ObjectStore, notes: Notes): void {
  for (const { habit, text, fact } of features.learned) {
    if (TOLD_APART.includes(habit)) continue;
    notes.notice(
      `provider-${habit.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      `${text}${fact === undefined ? "" : `: the provider refused it otherwise (${fact})`}`,
      "Nothing has to be done: it is found out by each command, or known from the repository's record.",
    );
  }
}
