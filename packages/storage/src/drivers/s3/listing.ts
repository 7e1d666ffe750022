import { SoarError } from "@soar/errors";
import { compareKeys } from "../../object-key.ts";
import type { ListOptions, StoredObject } from "../../object-store.ts";
import { callS3, objectOf, type S3Call, type S3Context } from "./context.ts";
import type { WirePage } from "./wire.ts";

/** As many as S3 gives at once. */
const PAGE_KEYS = 1000;

/** Objects of a listing that has to be held as a whole to be sorted: some 300 bytes each. */
const MOST_SORTED = 2_000_000;

/** In a row. Providers give some where many keys were removed just now; a listing of nothing else never ends. */
export const MOST_EMPTY_PAGES = 1000;

class OutOfOrder extends Error {
  override readonly name = "OutOfOrder";
}

/**
 * Yields a listing page by page and believes none of them: a page that is not marked as the last must lead on, and to a key at last, keys must
 * lie within the prefix, and none may come twice. Keys ascend; where the server has an order of its own, or may have one, the
 * whole listing is read and sorted here: a key that was given cannot be taken back when a later page shows that another one
 * comes before it. What expiry and the WAL chain conclude from a listing would otherwise be a guess.
 */
export async function* listS3(
  context: S3Context,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<StoredObject, void, void> {
  const call: S3Call = { action: `list '${context.nameOf(prefix)}'`, signal: options.signal };
  if (!isOrderKnown(context, prefix)) {
    const objects = await sortedObjects(context, call, prefix, options);
    if (objects !== undefined) return yield* objects;
  }
  let [given, lastKey] = [0, ""];
  try {
    for await (const object of inOrderOfKeys(context, call, prefix, options)) {
      given += 1;
      lastKey = object.key;
      yield object;
    }
  } catch (error) {
    if (!(error instanceof OutOfOrder)) throw error;
    const objects = (await sortedObjects(context, call, prefix, options)) ?? [];
    // A key before one that was given already cannot be given any more.
    if (given > 0 && objects[given - 1]?.key !== lastKey) throw shownTooLate(context, call);
    yield* objects.slice(given);
  }
}

/** By the provider's documentation, by a probe, or by what this store has seen of this prefix, or of one around it. */
function isOrderKnown({ habits, seen }: S3Context, prefix: string): boolean {
  const { listingOrder } = habits.now;
  if (listingOrder !== "unknown") return listingOrder === "keys";
  return [...seen.ordered].some((ordered) => prefix.startsWith(ordered));
}

function shownTooLate({ settings }: S3Context, { action }: S3Call): SoarError {
  return new SoarError(
    "STORE_PROTOCOL",
    `unable to ${action}: the listing has an order of its own, which only its later pages showed`,
    { hint: `Have listings sorted here: set ${settings.nameOf("listingOrder")} to 'other'.` },
  );
}

async function* inOrderOfKeys(
  context: S3Context,
  call: S3Call,
  prefix: string,
  { startAfter, pageSize }: ListOptions,
): AsyncGenerator<StoredObject, void, void> {
  let lastKey = "";
  for await (const page of readPages(context, call, { prefix, startAfter, pageSize })) {
    for (const { key } of page) {
      if (key === lastKey) throw broken(call, `the key '${key}' comes twice`);
      if (compareKeys(key, lastKey) < 0) throw new OutOfOrder(`the key '${key}' follows '${lastKey}'`);
      lastKey = key;
    }
    // A server that takes no notice of start-after sends more, not less.
    for (const object of page) if (startAfter === undefined || compareKeys(object.key, startAfter) > 0) yield object;
  }
}

/**
 * The whole listing, sorted. Asked for without start-after, because what lies behind a key in another order is something else. With
 * pages that lead on to a marked end, and no key twice, it is complete as far as any listing is: a page that was skipped or
 * shifted would show as a repetition. What it shows of the order is remembered. Undefined for one that is too long to be held,
 * and has been in the order of keys so far.
 */
async function sortedObjects(
  context: S3Context,
  call: S3Call,
  prefix: string,
  { startAfter = "", pageSize }: ListOptions,
): Promise<StoredObject[] | undefined> {
  const objects = new Map<string, StoredObject>();
  let [pages, lastKey, disorder] = [0, "", undefined as string | undefined];
  for await (const page of readPages(context, call, { prefix, startAfter: undefined, pageSize })) {
    pages += 1;
    for (const object of page) {
      const { key } = object;
      if (objects.has(key)) throw broken(call, `the key '${key}' comes twice`);
      if (compareKeys(key, lastKey) < 0) disorder ??= `the key '${key}' follows '${lastKey}'`;
      objects.set(key, object);
      lastKey = key;
    }
    if (objects.size <= MOST_SORTED) continue;
    if (disorder === undefined) return undefined;
    throw broken(call, `it has more than ${MOST_SORTED} keys, and an order of its own`);
  }
  if (disorder !== undefined) context.habits.learn("listingOrder", "other", disorder);
  else if (pages > 1) context.seen.ordered.add(prefix);
  return [...objects.values()]
    .filter(({ key }) => compareKeys(key, startAfter) > 0)
    .sort((left, right) => compareKeys(left.key, right.key));
}

interface Listing {
  readonly prefix: string;
  readonly startAfter: string | undefined;
  readonly pageSize: number | undefined;
}

async function* readPages(
  context: S3Context,
  call: S3Call,
  { prefix, startAfter, pageSize }: Listing,
): AsyncGenerator<StoredObject[], void, void> {
  const { signal } = call;
  const maxKeys = Math.min(pageSize ?? PAGE_KEYS, PAGE_KEYS);
  const seenTokens = new Set<string>();
  let [token, empty] = [undefined as string | undefined, 0];
  do {
    const page = await callS3(context, call, (wire) => wire.listPage({ prefix, startAfter, token, maxKeys, signal }));
    context.seen.bucket = true;
    const objects = requireObjects(call, page, prefix);
    yield objects;
    empty = objects.length === 0 ? empty + 1 : 0;
    token = requireNextToken(call, page);
    if (token !== undefined && seenTokens.has(token)) throw broken(call, "a page leads back to an earlier one");
    if (token !== undefined && empty === MOST_EMPTY_PAGES)
      throw broken(call, `${MOST_EMPTY_PAGES} pages in a row hold nothing, and lead on`);
    if (token !== undefined) seenTokens.add(token);
  } while (token !== undefined);
}

function requireObjects(call: S3Call, page: WirePage, prefix: string): StoredObject[] {
  if (page.keyCount !== undefined && page.keyCount !== page.objects.length) {
    throw broken(call, `a page announces ${page.keyCount} keys and holds ${page.objects.length}`);
  }
  return page.objects.map(({ key, facts }) => {
    if (key === undefined) throw broken(call, "an entry has no key");
    if (!key.startsWith(prefix)) throw broken(call, `the key '${key}' does not begin with '${prefix}'`);
    return objectOf(key, facts, call.action);
  });
}

function requireNextToken(call: S3Call, { truncated, nextToken }: WirePage): string | undefined {
  if (truncated === undefined) throw broken(call, "a page does not say whether more follow");
  if (!truncated) return undefined;
  if (nextToken === undefined || nextToken === "") throw broken(call, "a page says that more follow, but not where");
  return nextToken;
}

function broken({ action }: S3Call, fact: string): SoarError {
  return new SoarError("STORE_PROTOCOL", `unable to ${action}: the listing cannot be trusted, because ${fact}`, {
    hint: "Nothing may be concluded from it; check that the endpoint is the provider's own and not a proxy.",
  });
}
