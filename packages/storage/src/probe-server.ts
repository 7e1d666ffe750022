import { randomUUID } from "node:crypto";
import { hasErrorCode, isRetryable, SoarError } from "@soar/errors";
import type { CallOptions, ObjectStore } from "./object-store.ts";
import { probeConditionalPut } from "./probe-conditional-put.ts";
import { abortProbe, giveBack } from "./give-back.ts";
import { probeMaxParts } from "./probe-max-parts.ts";
import type { ConditionalPut, HabitName, ServerHabits } from "./server-habits.ts";

/** What `probeServer` found out, to be remembered and told to `features.recall` later. */
export type ProbedHabits = KnownHabits & Required<Pick<KnownHabits, "conditionalPut">>;

/** What is true of the key that asks, and not of the server, is remembered by nobody else. */
type KnownHabits = { readonly [N in Exclude<HabitName, "rivalUploads">]?: Exclude<ServerHabits[N], "unknown"> };

const BODY = Buffer.from("How does this store treat 'only if absent'? See probeServer of @soar/storage.\n");

/** Endings of the keys of what is uploaded in parts. */
const [PARTS, COMPLETED] = ["parts", "completed"] as const;

/** Names that come in another order than that of their bytes, whatever that is: by letters, by case, by length, by age, by directory. */
const NAMES = ["b", "C", "aa", "a", "d/x", "d-x"] as const;

/**
 * Finds out, on small objects under `keyPrefix`, what servers differ in and nobody may find out too late: what becomes of
 * "only if absent" of a put, of two puts that overlap, and of an upload in parts; the largest part number; whether a
 * listing is complete and in which order. Done once per repository, and remembered there.
 *
 * The objects are removed afterwards; with a key that may not remove anything they stay (some bytes, once). So does an upload that
 * the key may not abort: where one of an earlier time is left, what would leave another is not asked. Rejects with `STORE_PROTOCOL`
 * when a listing cannot be trusted.
 */
export async function probeServer(
  store: ObjectStore,
  keyPrefix: string,
  { signal }: CallOptions = {},
): Promise<ProbedHabits> {
  const conditionalPut = await probeConditionalPut(store, keyPrefix, { signal });
  const { features } = store;
  if (features.server === undefined) return { conditionalPut };
  const prefix = `${keyPrefix}probe-${randomUUID()}-`;
  const overwritten = `${keyPrefix}probe-${randomUUID()}${COMPLETED}`;
  const left = await keysLeft(store, `${keyPrefix}probe-`, signal);
  const probe: Probe = { store, prefix, overwritten, left, signal };
  const asked = await askServer(probe, conditionalPut);
  features.recall({ ...asked, conditionalPut });
  const shown = Object.fromEntries(
    features.learned.flatMap(({ habit, way }) => (habit === "rivalUploads" ? [] : [[habit, way]])),
  );
  return { ...shown, ...asked, conditionalPut };
}

async function askServer(probe: Probe, conditionalPut: ConditionalPut): Promise<KnownHabits> {
  const { store, prefix, signal } = probe;
  const listed = NAMES.map((name) => prefix + name);
  const written = [...listed, probe.overwritten];
  try {
    const atomicPut = conditionalPut === "honoured" ? await probeOverlaps(probe) : "no";
    for (const key of written)
      if ((await store.stat(key, { signal })) === undefined) await store.put(key, BODY, { signal });
    const mayBegin = (ending: string): boolean => !probe.left.some((key) => key.endsWith(ending));
    const conditionalComplete = mayBegin(COMPLETED)
      ? await unlessRefused("unknown", () => probeCompletion(probe))
      : store.features.conditionalComplete;
    const maxParts = mayBegin(PARTS)
      ? await unlessRefused(undefined, () => probeMaxParts(store, prefix + PARTS, { signal }))
      : undefined;
    await requireListed(probe);
    // In pages of two it is seen whatever the provider's row says.
    const listingOrder = store.features.listingOrder === "other" ? "other" : "keys";
    return withoutUnknown({ atomicPut, conditionalComplete, maxParts, listingOrder });
  } finally {
    await giveBack(() => store.remove(written, { signal }));
  }
}

interface Probe {
  readonly store: ObjectStore;
  /** Of the keys that are listed. */
  readonly prefix: string;
  /** A key apart from them: an upload that replaces an object is shown late, or twice, by listings that are right otherwise. */
  readonly overwritten: string;
  /** Of uploads that this key may not abort. */
  readonly left: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** Of another process, which may be at it at the same time. */
const LEFT_MS = 60 * 60_000;

/** Ends the uploads of probes that have ended; gives the keys of those that this key may not abort. Nothing where it may not list them. */
async function keysLeft(store: ObjectStore, prefix: string, signal: AbortSignal | undefined): Promise<string[]> {
  const now = store.features.clock()?.getTime() ?? Date.now();
  const before = new Date(now - LEFT_MS);
  const listed = await unlessRefused([], () => store.listUploads(prefix, { signal }));
  const left = listed.filter(({ begunAt }) => begunAt < before).map(({ key }) => key);
  if (left.length === 0) return [];
  return await unlessRefused(left, async () => {
    await store.abortStaleUploads(prefix, before, { signal });
    return [];
  });
}

/** Twice, because an answer that is lost, and repeated, makes a server look more careful than it is. */
async function probeOverlaps(probe: Probe): Promise<ServerHabits["atomicPut"]> {
  const seen = [await probeOverlap(probe, "b"), await probeOverlap(probe, "a")];
  if (seen.includes("no")) return "no";
  return seen.every((one) => one === "yes") ? "yes" : "unknown";
}

/** Lets one put begin, another one of the same key come and go, and the first one end. */
async function probeOverlap({ store, prefix, signal }: Probe, name: string): Promise<ServerHabits["atomicPut"]> {
  const key = prefix + name;
  const isStored = async (whenBegun: () => Promise<void>): Promise<boolean> => {
    try {
      await store.put(key, BODY, { ifAbsent: "by-server", whenBegun, signal });
      return true;
    } catch (error) {
      if (hasErrorCode(error, "OBJECT_EXISTS")) return false;
      throw error;
    }
  };
  let [firstBegun, secondBegun, isSecondStored] = [0, 0, false];
  const isFirstStored = await isStored(async () => {
    firstBegun += 1;
    if (firstBegun === 1) isSecondStored = await isStored(async () => void (secondBegun += 1));
  });
  // Begun twice: an answer was lost, and the refusal of the repetition may be about its own bytes.
  if (firstBegun !== 1 || secondBegun !== 1) return "unknown";
  return isFirstStored && isSecondStored ? "no" : "yes";
}

/** Completes an upload in parts on a key that is taken. */
async function probeCompletion({ store, overwritten, signal }: Probe): Promise<ConditionalPut> {
  const { minPartSize } = store.features;
  const upload = await store.beginMultipart(overwritten, { partSize: minPartSize, ifAbsent: "by-server", signal });
  try {
    await upload.putPart(1, BODY.subarray(0, minPartSize), { signal });
    await upload.complete({ signal });
    return "ignored";
  } catch (error) {
    if (hasErrorCode(error, "OBJECT_EXISTS")) return "honoured";
    if (hasErrorCode(error, "STORE_UNSUPPORTED")) return "refused";
    throw error;
  } finally {
    await abortProbe(upload);
  }
}

/** At once, and in pages of two: what is stored has to be in the listing, once each, and the listing has to end. */
async function requireListed({ store, prefix, signal }: Probe): Promise<void> {
  for (const pageSize of [undefined, 2]) {
    const listed: string[] = [];
    for await (const { key } of store.list(prefix, { pageSize, signal })) listed.push(key);
    const missing = NAMES.find((name) => !listed.includes(prefix + name));
    if (missing === undefined) continue;
    throw new SoarError(
      "STORE_PROTOCOL",
      `unable to trust '${store.location}': '${prefix}${missing}' was stored and is not in the listing`,
      { hint: "What expiry, restore and verification conclude from such a listing would be wrong; ask the provider." },
    );
  }
}

/** A question that the server refuses for good has no answer; what may pass has to be asked again. */
async function unlessRefused<T>(otherwise: T, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (isRetryable(error) || !hasErrorCode(error, "STORE_DENIED", "STORE_UNSUPPORTED", "STORE_PROTOCOL")) throw error;
    return otherwise;
  }
}

function withoutUnknown(habits: { readonly [N in HabitName]?: ServerHabits[N] | undefined }): KnownHabits {
  return Object.fromEntries(Object.entries(habits).filter(([, way]) => way !== undefined && way !== "unknown"));
}
