import { SoarError } from "@soar/errors";
import type { ServerFacts } from "@soar/pg-tools/replication";
import { RECORD_LIMITS, type BackupRecord } from "@soar/repository";

type Kept = Pick<BackupRecord, "damagedPages" | "warnings" | "leftOut" | "clockDoubts">;
type Told = { readonly [Name in keyof Kept]-?: readonly NonNullable<Kept[Name]>[number][] };

/**
 * Bytes of each list as JSON: hundreds of entries, so that a record stays one of the small ones, of which a listing keeps thousands
 * in memory. Who has more of them needs their number, and `pg_amcheck`.
 */
const ROOM: Readonly<Record<keyof Kept, number>> = {
  damagedPages: 16_384,
  warnings: 8192,
  leftOut: 8192,
  clockDoubts: 4096,
};
const NAMES = ["damagedPages", "warnings", "leftOut", "clockDoubts"] as const;

/** What grows with what went wrong, the first entries of each list, and how many were left out (`omitted`). */
export function keepWhatFits(told: Told): Kept & Pick<BackupRecord, "omitted"> {
  const kept = {
    damagedPages: firstOf(
      told.damagedPages.map(({ path, detail }) => ({ path: clip(path), detail: clip(detail) })),
      ROOM.damagedPages,
    ),
    warnings: firstOf(told.warnings.map(clip), ROOM.warnings),
    leftOut: firstOf(told.leftOut, ROOM.leftOut),
    ...(told.clockDoubts.length === 0 ? {} : { clockDoubts: firstOf(told.clockDoubts.map(clip), ROOM.clockDoubts) }),
  };
  const omitted: Partial<Record<keyof Kept, number>> = {};
  for (const name of NAMES) {
    const more = told[name].length - (kept[name]?.length ?? 0);
    if (more > 0) omitted[name] = more;
  }
  return { ...kept, ...(Object.keys(omitted).length === 0 ? {} : { omitted }) };
}

/** The first of each list has room: that there is one is what somebody has to hear of. */
const LONGEST_TEXT = 500;

function clip(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT).toWellFormed()}…`;
}

function firstOf<T>(list: readonly T[], room: number): T[] {
  const kept: T[] = [];
  let left = room;
  for (const entry of list) {
    left -= Buffer.byteLength(JSON.stringify(entry)) + 1;
    if (left < 0) break;
    kept.push(entry);
  }
  return kept;
}

/** Of the record: what does not grow with the cluster, its seek table's members, and the lists above. */
const REST = 1024 ** 2;
/** Its path, its archive, and the objects of that. */
const PER_TABLESPACE = 1024;

/**
 * Refuses a server whose record no reader would read, before anything is uploaded. What is in the record for each database and
 * tablespace is needed, so that none may be left out. Throws `RECORD_TOO_LARGE`.
 */
export function requireRoom(
  { tablespaces, settings }: Pick<ServerFacts, "tablespaces" | "settings">,
  inDatabases: Pick<BackupRecord, "databases" | "subscriptions">,
): void {
  const { databases, subscriptions = [] } = inDatabases;
  const bytes =
    Buffer.byteLength(JSON.stringify({ settings, ...inDatabases }, undefined, 2)) +
    tablespaces.reduce((sum, { location }) => sum + Buffer.byteLength(location), 0) +
    tablespaces.length * PER_TABLESPACE;
  const most = RECORD_LIMITS;
  // The data directory has an archive besides.
  const isMany =
    databases.length > most.databases || tablespaces.length >= most.tablespaces || subscriptions.length > most.others;
  if (!isMany && bytes + REST <= most.bytes) return;
  throw new SoarError(
    "RECORD_TOO_LARGE",
    `unable to back up this server: the record of its ${databases.length} databases, ${tablespaces.length} tablespaces and ${subscriptions.length} subscriptions takes some ${Math.ceil(bytes / 1024)} KiB, and no reader takes more than ${most.bytes / 1024}`,
    { hint: "Divide the cluster into several, each with a repository of its own. Nothing was stored." },
  );
}
