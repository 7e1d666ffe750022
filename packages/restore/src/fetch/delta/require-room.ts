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
  /** The archive that comes there; undefined for WAL. */
  readonly archive: string | undefined;
}

export interface Places {
  readonly dataDir: string;
  /** By OID, where they are going to lie. */
  readonly tablespaces: ReadonlyMap<number, string>;
  /** Where pg_wal leads to when it is a link. */
  readonly walDir?: string | undefined;
  /** Bytes of each archive that become holes; asked for only where it would not fit with them. */
  readonly countHoles?: (() => Promise<ReadonlyMap<string, number>>) | undefined;
}

/**
 * Rejects with `DISK_FULL` unless the cluster fits with its WAL, each part of it on the file system that it goes to. What lies
 * there and is filled again counts as free, and holes of sparse files do not count.
 */
export async function requireRoom(plan: Needed, places: Places, { kind }: Pick<Approach, "kind">): Promise<void> {
  if (kind !== "fill" && kind !== "replace" && kind !== "refill") return;
  for (const together of await byFileSystem(placesOf(plan, places))) {
    const [{ directory } = { directory: places.dataDir }] = together;
    const whole = together.reduce((sum, { bytes }) => sum + bytes, 0);
    const free = await freeBytesAt(directory);
    const available = free >= whole || kind !== "refill" ? free : free + (await allocatedTogether(together));
    if (available >= whole) continue;
    const needed = whole - (await holesTogether(together, places));
    if (available >= needed) continue;
    throw new SoarError(
      "DISK_FULL",
      `unable to restore into '${directory}': ${needed} bytes are needed there, ${available} are free`,
      {
        hint: `Free space, or name a directory on a larger file system with ${optionFor(directory, places)}${kind === "replace" ? "; to give the old data up instead of keeping it beside the new: --discard-old-data" : ""}. Nothing was changed.`,
      },
    );
  }
}

type Needed = Pick<RestorePlan, "neededBytes" | "neededWalBytes" | "backup">;

function optionFor(directory: string, { dataDir, walDir }: Places): string {
  return directory === dataDir ? "--data-dir" : directory === walDir ? "--wal-dir" : "--tablespace-map OLD=NEW";
}

async function holesTogether(places: readonly Place[], { countHoles }: Places): Promise<number> {
  const holes = (await countHoles?.()) ?? new Map<string, number>();
  return places.reduce((sum, { archive }) => sum + (archive === undefined ? 0 : (holes.get(archive) ?? 0)), 0);
}

/** What is known of a tablespace's size is that of its tar, which holds its files and a little more. */
function placesOf(
  { neededBytes, neededWalBytes, backup }: Needed,
  { dataDir, tablespaces, walDir = dataDir }: Places,
): Place[] {
  const spaces = backup.archives.flatMap(({ oid, name, tar }): Place[] => {
    const directory = oid === undefined ? undefined : tablespaces.get(oid);
    return directory === undefined ? [] : [{ directory, bytes: tar, archive: name }];
  });
  const elsewhere = spaces.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    { directory: dataDir, bytes: Math.max(0, neededBytes - elsewhere), archive: "base" },
    ...spaces,
    { directory: walDir, bytes: neededWalBytes, archive: undefined },
  ];
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
  // WAL lies in the data directory unless it leads elsewhere.
  for (const directory of new Set(places.map((place) => place.directory))) bytes += await allocatedBytes(directory);
  return bytes;
}
