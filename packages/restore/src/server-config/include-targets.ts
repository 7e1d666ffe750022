import { dirname, isAbsolute, resolve } from "node:path";
import { type ConfigForm, type IncludeDirective, includesOf } from "@soar/pg-tools/recovery-config";
import { type ConfigSource, isDirectory, placeInCopy } from "./config-places.ts";
import { placeBelow } from "./place-below.ts";

export interface TargetPlaces {
  readonly dataDir: string;
  readonly backup: ConfigSource;
  /** Of the files that are brought, by their paths on the source. */
  readonly places: ReadonlyMap<string, string>;
}

export interface IncludeTargets {
  /** By kind and target on the source: those that the file would look for in the wrong place. */
  readonly others: ReadonlyMap<string, string>;
  /** To be made: a server does not start without a directory that is named, although nothing of it was saved. */
  readonly directories: readonly string[];
}

/** Where a file of the source has to look for what it includes when it lies in its place in a copy. */
export async function findTargets(
  text: string,
  path: string,
  { form, ...options }: TargetPlaces & { readonly form: ConfigForm },
): Promise<IncludeTargets> {
  const { dataDir, backup } = options;
  const [others, directories] = [new Map<string, string>(), [] as string[]];
  const from = dirname(placeInCopy(path, backup, dataDir));
  for (const directive of includesOf(text, path, form)) {
    const { kind, target, name } = directive;
    const place = placeOf(directive, options) ?? (await placeOfNothing(directive, from, options));
    if (place === undefined) continue;
    if (resolve(from, name) !== place) others.set(`${kind} ${target}`, place);
    if (kind === "directory" && !(await isDirectory(place))) directories.push(place);
  }
  return { others, directories };
}

function placeOf({ kind, target }: IncludeDirective, { dataDir, backup, places }: TargetPlaces): string | undefined {
  const inside = placeBelow(backup.source.dataDirectory, target);
  if (inside !== undefined) return resolve(dataDir, inside);
  if (kind !== "directory") return places.get(target);
  const file = [...places.keys()].find((path) => dirname(path) === target && path.endsWith(".conf"));
  return file === undefined ? undefined : dirname(places.get(file) ?? "");
}

/** Of a directory that is not here, and of which nothing was saved. */
async function placeOfNothing(
  { kind, target, name }: IncludeDirective,
  from: string,
  { dataDir, backup }: TargetPlaces,
): Promise<string | undefined> {
  if (kind !== "directory" || (await isDirectory(isAbsolute(name) ? name : resolve(from, name)))) return undefined;
  if (isAbsolute(name)) return placeInCopy(target, backup, dataDir);
  // Nothing is made outside of the data directory because a backup says so.
  const here = resolve(from, name);
  return placeBelow(dataDir, here) === undefined ? undefined : here;
}
