import { readdir, realpath } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { meansAbsent, readLinkIfPresent, realPathIfPresent, systemErrorCode, unreadable } from "@soar/durable-files";
import type { Approach } from "../fetch/delta/approach.ts";
import { isOutsideLink } from "../fetch/delta/outside-links.ts";
import { placeBelow } from "../server-config/place-below.ts";
import { outsideDirectories } from "./keep-old-data.ts";

/** A link in a data directory that a restore replaces, and what becomes of that to which it leads. */
export interface LinkThere {
  /** Below the data directory. */
  readonly path: string;
  /** Absolute, as the link names it. */
  readonly target: string;
  /**
   * `kept`: put aside with the data. `filled`: filled again where it is. `linked`: it stays where it is, and the link is made again, or stays,
   * where nothing of the backup gets its name. `left`: it stays where it is, and nothing leads there any more but what is kept.
   * `nowhere`: there is nothing.
   */
  readonly becomes: "kept" | "filled" | "linked" | "left" | "nowhere";
}

interface LinksOptions {
  readonly dataDir: string;
  /** Directories of tablespaces that the restored cluster is going to use. */
  readonly tablespacePlaces: ReadonlySet<string>;
}

/** More are not told one by one. */
const MAX_LINKS = 1000;

/** The links of old data that a restore puts aside or overwrites; none where it does neither. They are not followed. */
export async function findLinksThere(approach: Approach, options: LinksOptions): Promise<LinkThere[]> {
  const isKept = approach.kind === "replace";
  if (!isKept && !(approach.kind === "refill" && approach.ownData)) return [];
  const { dataDir } = options;
  const own = new Set((await outsideDirectories(dataDir, options)).map(({ link }) => link));
  const real = (await realPathIfPresent(dataDir)) ?? dataDir;
  const found: LinkThere[] = [];
  for await (const path of linksBelow(dataDir)) {
    const name = await readLinkIfPresent(join(dataDir, path));
    if (name === undefined) continue;
    const target = resolve(dirname(join(dataDir, path)), name);
    const place = await placeOf(target);
    // What lies in the directory itself shares its fate.
    if (place !== undefined && (place === real || placeBelow(real, place) !== undefined)) continue;
    found.push({ path, target, becomes: place === undefined ? "nowhere" : fateOf(path) });
    if (found.length === MAX_LINKS) break;
  }
  return found;

  function fateOf(path: string): LinkThere["becomes"] {
    if (own.has(path)) return isKept ? "kept" : "filled";
    return isOutsideLink(path) ? "linked" : "left";
  }
}

/** Undefined for a link to nothing or to itself. What this user may not look into is where its name says. */
async function placeOf(target: string): Promise<string | undefined> {
  try {
    return await realpath(target);
  } catch (error) {
    if (systemErrorCode(error) === "EACCES") return target;
    if (meansAbsent(error) || systemErrorCode(error) === "ELOOP") return undefined;
    throw unreadable(target, error);
  }
}

async function* linksBelow(dataDir: string, below = ""): AsyncGenerator<string> {
  for (const entry of await entriesOf(join(dataDir, below))) {
    const path = join(below, entry.name);
    if (entry.isSymbolicLink()) yield path;
    else if (entry.isDirectory()) yield* linksBelow(dataDir, path);
  }
}

/** What this user may not look into, as the lost+found of a file system, is no directory of the server's. */
async function entriesOf(directory: string) {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (meansAbsent(error) || systemErrorCode(error) === "EACCES") return [];
    throw unreadable(directory, error);
  }
}
