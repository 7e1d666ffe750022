import { stat } from "node:fs/promises";
import { SoarError } from "@soar/errors";
import { allocatedBytes } from "../../allocated-bytes.ts";
import { freeBytesAt, nearestExisting } from "../../data-directory.ts";
import type { RestorePlan } from "../../plan/plan.ts";
import type { Approach } from "./approach.ts";

/** A directory that is going to be filled. */
interface Place {
  readonly directory: string;
  readonly bytes: number;
}

export interface Places {
  readonly dataDir: string;
  /** By OID, where they are going to lie. */
  readonly tablespaces: ReadonlyMap<number, string>;
}

/**
 * Rejects with `DISK_FULL` unless the cluster fits, each part of it on the file system that it goes to. What lies there and is filled
 * again counts as free.
 */
export async function requireRoom(
  plan: Pick<RestorePlan, "neededBytes" | "backup">,
  places: Places,
  { kind }: Pick<Approach, "kind">,
): Promise<void> {
  if (kind === "recover" || kind === "follow" || kind === "finish") return;
  for (const together of await byFileSystem(placesOf(plan, places))) {
    const [{ directory } = { directory: places.dataDir }] = together;
    const needed = together.reduce((sum, { bytes }) => sum + bytes, 0);
    const free = await freeBytesAt(directory);
    const available = free >= needed || kind !== "refill" ? free : free + (await allocatedTogether(together));
    if (available >= needed) continue;
    const isData = directory === places.dataDir;
    throw new SoarError(
      "DISK_FULL",
      `unable to restore into '${directory}': ${needed} bytes are needed there, ${available} are free`,
      {
        hint: `Free space, or name a directory on a larger file system with ${isData ? "--data-dir" : "--tablespace-map OLD=NEW"}${kind === "replace" ? "; to give the old data up instead of keeping it beside the new: --discard-old-data" : ""}. Nothing was changed.`,
      },
    );
  }
}

/** What is known of a tablespace's size is that of its tar, which holds its files and a little more. */
function placesOf(
  { neededBytes, backup }: Pick<RestorePlan, "neededBytes" | "backup">,
  { dataDir, tablespaces }: Places,
): Place[] {
  const spaces = backup.archives.flatMap(({ oid, tar }): Place[] => {
    const directory = oid === undefined ? undefined : tablespaces.get(oid);
    return directory === undefined ? [] : [{ directory, bytes: tar }];
  });
  const elsewhere = spaces.reduce((sum, { bytes }) => sum + bytes, 0);
  return [{ directory: dataDir, bytes: Math.max(0, neededBytes - elsewhere) }, ...spaces];
}

async function byFileSystem(places: readonly Place[]): Promise<Iterable<readonly Place[]>> {
  const groups = new Map<number, Place[]>();
  for (const place of places) {
    const { dev } = await stat(await nearestExisting(place.directory));
    groups.set(dev, [...(groups.get(dev) ?? []), place]);
  }
  return groups.values();
}

async function allocatedTogether(places: readonly Place[]): Promise<number> {
  let bytes = 0;
  for (const { directory } of places) bytes += await allocatedBytes(directory);
  return bytes;
}
