import { SoarError } from "@soar/errors";
import { compareKeys } from "../../object-key.ts";
import type { ListOptions, StoredObject } from "../../object-store.ts";
import { callS3, objectOf, type S3Call, type S3Context } from "./context.ts";
import type { WirePage } from "./wire.ts";

/**
 * Yields a listing page by page and believes none of them: a page that is not marked as the last must lead on, keys must
 * ascend and lie within the prefix. What expiry and the WAL chain conclude from a listing would otherwise be a guess.
 */
export async function* listS3(
  context: S3Context,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<StoredObject, void, void> {
  const { startAfter, signal } = options;
  const call: S3Call = { action: `list '${context.nameOf(prefix)}'`, signal };
  const seenTokens = new Set<string>();
  let lastKey = "";
  let token: string | undefined;
  do {
    const page = await callS3(context, call, (wire) => wire.listPage({ prefix, startAfter, token, signal }));
    context.learned.bucketSeen = true;
    for (const object of requireObjects(call, page, prefix, lastKey)) {
      lastKey = object.key;
      // A server that takes no notice of start-after sends more, not less.
      if (startAfter === undefined || compareKeys(object.key, startAfter) > 0) yield object;
    }
    token = requireNextToken(call, page);
    if (token !== undefined && seenTokens.has(token)) throw broken(call, "a page leads back to an earlier one");
    if (token !== undefined) seenTokens.add(token);
  } while (token !== undefined);
}

function requireObjects(call: S3Call, page: WirePage, prefix: string, lastKey: string): StoredObject[] {
  if (page.keyCount !== undefined && page.keyCount !== page.objects.length) {
    throw broken(call, `a page announces ${page.keyCount} keys and holds ${page.objects.length}`);
  }
  let previous = lastKey;
  return page.objects.map(({ key, facts }) => {
    if (key === undefined) throw broken(call, "an entry has no key");
    if (!key.startsWith(prefix)) throw broken(call, `the key '${key}' does not begin with '${prefix}'`);
    if (compareKeys(key, previous) <= 0) throw broken(call, `the key '${key}' follows '${previous}'`);
    previous = key;
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
