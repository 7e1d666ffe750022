import { crc32cOf } from "@soar/pg-tools/manifest";
import { parseBackupKey } from "@soar/repository";
import type { MemberLocation, SeekTable } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import { mapOrdered } from "@soar/task-pool";
import type { Finding } from "../finding.ts";
import { DamageReport } from "./damage-report.ts";
import { planMembers } from "./plan-members.ts";
import { GAP_BYTES, RANGE_BYTES, readRange } from "./read-range.ts";
import type { ReadableBackup, ReadBackupOptions } from "./read-backup.ts";

export interface ReadStoredOptions extends Pick<
  ReadBackupOptions,
  "pool" | "parallel" | "signal" | "known" | "sizeOf" | "onRead" | "onDamaged"
> {}

interface StoredRange {
  readonly object: string;
  readonly offset: number;
  length: number;
  readonly members: MemberLocation[];
}

/**
 * Reads every stored byte of a backup and compares it with the digests of the seek table, which has them of the bytes as they
 * are stored: nothing is decompressed. That finds whatever a storage does to bytes; that they hold what PostgreSQL sent, and
 * pages that were damaged before, only `readBackup` finds. What an earlier backup's table said of the same bytes, word for word,
 * is `known`, and not read again.
 */
export async function readStored(
  store: ObjectStore,
  readable: Pick<ReadableBackup, "backup" | "table">,
  options: ReadStoredOptions,
): Promise<Finding[]> {
  const { pool, parallel, known, sizeOf, onRead, onDamaged, signal } = options;
  const failures = new Map<string, string>();
  const fail = (location: MemberLocation, why: string): void => void failures.set(placeOf(location), why);
  const take = (location: MemberLocation): boolean => {
    const { object, offset, storedLength } = location;
    const sum = sumOf(location);
    if (offset + storedLength > (sizeOf(object) ?? 0) || known.checksumOf(object, offset) === sum) return false;
    if (parseBackupKey(object)?.label === readable.backup.label) known.add(object, offset, sum);
    return true;
  };
  const compare = async (range: StoredRange, stop: AbortSignal): Promise<void> => {
    const { offset, length, members } = range;
    const stored = await readRange(store, range, stop);
    if (typeof stored === "string") return members.forEach((location) => fail(location, stored));
    const tasks = members.map((member) => ({
      offset: member.offset - offset,
      storedLength: member.storedLength,
      // A digest is a view of a whole table, all of which would be copied to the worker with it.
      storedDigest: new Uint8Array(member.storedDigest),
    }));
    const changed = await pool.compareStored({ stored, members: tasks }, stop);
    onRead({ stored: length, plain: 0 });
    for (const at of changed) {
      const location = members[at];
      if (location !== undefined) fail(location, "the digest of its stored bytes is not the recorded one");
    }
  };
  for await (const _ of mapOrdered(rangesOf(readable.table, take), compare, { maxItems: parallel, signal }));
  return describeFailures(readable, failures, onDamaged);
}

/** What the damaged members hold is looked up only where there are any. */
function describeFailures(
  { backup, table }: Pick<ReadableBackup, "backup" | "table">,
  failures: ReadonlyMap<string, string>,
  onDamaged: ReadBackupOptions["onDamaged"],
): Finding[] {
  const report = new DamageReport(backup.label, onDamaged);
  for (const archive of failures.size === 0 ? [] : table.archives) {
    for (const planned of planMembers(archive, backup.record)) {
      const why = failures.get(placeOf(planned.location));
      if (why !== undefined) report.member(planned, why);
    }
  }
  return report.findings();
}

/** Of what a table says of a member. */
function sumOf({ storedLength, storedDigest }: MemberLocation): number {
  const said = Buffer.alloc(4 + storedDigest.length);
  said.writeUInt32LE(storedLength);
  storedDigest.copy(said, 4);
  return crc32cOf(said);
}

function placeOf({ object, offset }: MemberLocation): string {
  return `${object}#${offset}`;
}

/** Members that lie close behind each other, up to the size of a range. */
function* rangesOf(table: SeekTable, take: (location: MemberLocation) => boolean): Generator<StoredRange> {
  let open: StoredRange | undefined;
  for (const { members } of table.archives) {
    for (let index = 0; index < members.length; index++) {
      const location = members.get(index);
      if (!take(location)) continue;
      const { object, offset, storedLength } = location;
      const gap = open?.object === object ? offset - (open.offset + open.length) : -1;
      if (open !== undefined && gap >= 0 && gap <= GAP_BYTES && open.length + gap + storedLength <= RANGE_BYTES) {
        open.members.push(location);
        open.length += gap + storedLength;
        continue;
      }
      if (open !== undefined) yield open;
      open = { object, offset, length: storedLength, members: [location] };
    }
  }
  if (open !== undefined) yield open;
}
