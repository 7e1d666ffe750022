import { createHash } from "node:crypto";
import { compareKeys, lowerBound } from "../compare-keys.ts";
import type { ProfileRules } from "../profile-rules.ts";

export interface PageRequest {
  /** Ascending by UTF-8 bytes. */
  readonly keys: readonly string[];
  readonly prefix: string;
  readonly delimiter: string;
  /** Only keys and groups behind this one. */
  readonly after: string;
  readonly maxKeys: number;
  /** Keys for which this is false do not exist for the listing. */
  readonly isListed: (key: string) => boolean;
}

export interface Page {
  readonly keys: readonly string[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  /** Where the next page begins: the last key or group of this one. */
  readonly last: string;
}

/** One page of a listing. A group of keys under one common prefix counts as one entry. */
export function listPage(request: PageRequest): Page {
  const { prefix, delimiter, after, maxKeys } = request;
  const keys: string[] = [];
  const commonPrefixes: string[] = [];
  let last = "";
  for (const key of keysBehind(request)) {
    const group = groupOf(key, prefix, delimiter);
    if (group !== undefined && (group === commonPrefixes.at(-1) || compareKeys(group, after) <= 0)) continue;
    if (keys.length + commonPrefixes.length >= maxKeys) return { keys, commonPrefixes, truncated: maxKeys > 0, last };
    if (group === undefined) keys.push(key);
    else commonPrefixes.push(group);
    last = group ?? key;
  }
  return { keys, commonPrefixes, truncated: false, last };
}

/** One page of a listing in the order that a profile has. */
export function listInOrder(order: ProfileRules["listingOrder"], request: PageRequest): Page {
  if (order === "keys") return listPage(request);
  return listByPlace(request, order === "directories" ? placeInTree : placeAnywhere);
}

function placeInTree(key: string): string {
  return key.replaceAll("/", "\0");
}

function placeAnywhere(key: string): string {
  return createHash("sha1").update(key).digest("hex");
}

/** The same in another stable order; knows no groups. */
function listByPlace({ keys, prefix, after, maxKeys, isListed }: PageRequest, placeOf: (key: string) => string): Page {
  const behind = keys
    .filter((key) => key.startsWith(prefix) && isListed(key) && (after === "" || placeOf(key) > placeOf(after)))
    .sort((left, right) => (placeOf(left) < placeOf(right) ? -1 : 1));
  const page = behind.slice(0, maxKeys);
  return { keys: page, commonPrefixes: [], truncated: page.length < behind.length, last: page.at(-1) ?? after };
}

function* keysBehind({ keys, prefix, after, isListed }: PageRequest): Iterable<string> {
  const start = compareKeys(after, prefix) < 0 ? prefix : after;
  for (let index = lowerBound(keys, start); index < keys.length; index += 1) {
    const key = keys[index] ?? "";
    if (!key.startsWith(prefix)) return;
    if (key !== after && isListed(key)) yield key;
  }
}

function groupOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === "") return undefined;
  const end = key.indexOf(delimiter, prefix.length);
  return end < 0 ? undefined : key.slice(0, end + delimiter.length);
}
