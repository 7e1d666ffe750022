import { parseStateFile, stateDistance } from "@soar/pg-tools/changed-blocks";
import type { ControlFile } from "@soar/pg-tools/control-file";
import { holdsCommitTimes } from "./watched-files.ts";

/**
 * How a page of `pg_xact`, `pg_multixact` or `pg_commit_ts` differs from what the backup has of it. `changed`: a transaction that had ended has
 * another end, which none can have. `lost`: it has none, as in a page that replay made anew and its server has not written since.
 */
export type StateFault = "changed" | "lost";

/** Two bits for each transaction (clog.h): in progress, committed, aborted, and a part of one that has still to end. */
const STATE_BITS = [0, 2, 4, 6] as const;
const COMMITTED = 1;
const ABORTED = 2;

/** Undefined where a server that replays and writes WAL can have made it of what the backup has. */
export function findStateFault(name: string, now: Buffer, before: Buffer): StateFault | undefined {
  if (holdsCommitTimes(name)) return hasOtherTime(now, before) ? "changed" : undefined;
  const faultOf = name.startsWith("pg_xact/") ? faultOfStates : faultOfMember;
  let found: StateFault | undefined;
  for (let at = 0; at < Math.min(now.length, before.length); at += 1) {
    const [is, was] = [now[at] as number, before[at] as number];
    const fault = is === was ? undefined : faultOf(is, was);
    if (fault === "changed") return fault;
    found ??= fault;
  }
  return found;
}

/** `CommitTimestampEntry`: the time, of which 0 is none, and the origin. */
const ENTRY_BYTES = 10;

function hasOtherTime(now: Buffer, before: Buffer): boolean {
  for (let at = 0; at + ENTRY_BYTES <= Math.min(now.length, before.length); at += ENTRY_BYTES) {
    const isSet = now.readBigInt64LE(at) !== 0n && before.readBigInt64LE(at) !== 0n;
    if (isSet && now.compare(before, at, at + ENTRY_BYTES, at, at + ENTRY_BYTES) !== 0) return true;
  }
  return false;
}

function faultOfStates(is: number, was: number): StateFault | undefined {
  let found: StateFault | undefined;
  for (const bits of STATE_BITS) {
    const [state, before] = [(is >> bits) & 3, (was >> bits) & 3];
    if ((before !== COMMITTED && before !== ABORTED) || state === before) continue;
    if (state !== 0) return "changed";
    found = "lost";
  }
  return found;
}

/** Members and where they begin are written once, over zeros. */
function faultOfMember(is: number, was: number): StateFault | undefined {
  if (was === 0) return undefined;
  return is === 0 ? "lost" : "changed";
}

/** A checkpoint notes what came next a moment after the place from which replay begins behind it (CreateCheckPoint). */
const MOMENT = 512;

/**
 * Whether a page may have been made anew, of zeros, since the last checkpoint: replay does so when it comes to its first transaction, on
 * the disk at once, and writes what it fills in later (clog_redo). Every other page is on the disk as it was then, or further.
 */
export function mayBeUnwritten(
  name: string,
  block: number,
  control: Pick<ControlFile, "blockSize" | "pgMajor" | "nextXid" | "nextMulti" | "nextMultiMember">,
): boolean {
  const file = parseStateFile(name, control);
  if (file === undefined) return false;
  const { nextXid, nextMulti, nextMultiMember } = control;
  const next = { xact: nextXid, "commit-ts": nextXid, offsets: nextMulti, members: nextMultiMember }[file.kind];
  return stateDistance(file, next - MOMENT, (file.firstPage + block) * file.perPage) >= 0;
}
