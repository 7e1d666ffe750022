import type { CallOptions, ObjectStore } from "@soar/storage";
import { free, mapOrdered } from "@soar/task-pool";
import type { PlannedMember } from "./plan-members.ts";
import { GAP_BYTES, RANGE_BYTES, readRange } from "./read-range.ts";
import type { VerifyPool } from "./verify-pool.ts";
import type { CheckedMember } from "./verify-task.ts";

/** What became of a planned member; `undefined` when it was not to be read. */
export interface ReadMember {
  readonly planned: PlannedMember;
  readonly outcome: CheckedMember | undefined;
}

export interface ReadRangesOptions extends CallOptions {
  readonly pool: VerifyPool;
  /** Ranges read or checked at once, and held in memory. */
  readonly parallel: number;
  /** Whether a member is to be read at all. */
  readonly wants: (member: PlannedMember) => boolean;
  readonly returnsPlain: (member: PlannedMember) => boolean;
  /** Called with the stored bytes of each range, in order. */
  readonly onStored?: ((object: string, offset: number, bytes: Uint8Array) => void) | undefined;
  readonly onRead: (read: { readonly stored: number; readonly plain: number }) => void;
}

/** Members that are not read wait with a range until it is full; they need little. */
const MEMBERS_PER_RANGE = 4096;

interface Range {
  readonly members: readonly PlannedMember[];
  readonly object: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Reads members in large ranges, several at once, has them checked by the workers, and yields every planned member in
 * order. Bytes that cannot be read because the object is missing or too short are a failure of the members in them.
 */
export async function* readRanges(
  store: ObjectStore,
  planned: Iterable<PlannedMember>,
  options: ReadRangesOptions,
): AsyncGenerator<ReadMember> {
  const { pool, parallel, wants, returnsPlain, onStored, onRead, signal } = options;
  const check = async (
    range: Range,
    stop: AbortSignal,
  ): Promise<{ readonly range: Range; readonly members: readonly ReadMember[]; readonly stored?: Uint8Array }> => {
    const wanted = range.members.filter(wants);
    const [first] = wanted;
    if (first === undefined)
      return { range, members: range.members.map((member) => ({ planned: member, outcome: undefined })) };
    const stored = await readRange(store, range, stop);
    if (typeof stored === "string")
      return {
        range,
        members: range.members.map((member) => ({
          planned: member,
          outcome: wants(member) ? { failure: stored } : undefined,
        })),
      };
    const tasks = wanted.map((member) => taskOf(member, range.offset, returnsPlain(member)));
    const checked = await pool.checkRange({ codec: first.location.codec, stored, members: tasks }, stop);
    onRead({ stored: range.length, plain: wanted.reduce((sum, { location }) => sum + location.plainLength, 0) });
    const byMember = new Map(wanted.map((member, at) => [member, checked.members[at]]));
    return {
      range,
      members: range.members.map((member) => ({ planned: member, outcome: byMember.get(member) })),
      stored: checked.stored,
    };
  };
  for await (const { range, members, stored } of mapOrdered(coalesce(planned, wants), check, {
    maxItems: parallel,
    signal,
  })) {
    if (stored !== undefined) onStored?.(range.object, range.offset, stored);
    yield* members;
    // Plain bytes of bare members lie in it, which were looked at by now.
    if (stored !== undefined) free(stored);
  }
}

function taskOf({ location, runs }: PlannedMember, rangeOffset: number, returnsPlain: boolean) {
  return {
    offset: location.offset - rangeOffset,
    storedLength: location.storedLength,
    plainLength: location.plainLength,
    // A digest is a view of a whole table, all of which would be copied to the worker with it.
    sha256: new Uint8Array(location.sha256),
    runs: runs.map(({ plainOffset, length, pages }) => ({ plainOffset, length, pages })),
    returnsPlain,
  };
}

function* coalesce(planned: Iterable<PlannedMember>, wants: (member: PlannedMember) => boolean): Generator<Range> {
  let open: { members: PlannedMember[]; object: string; offset: number; length: number } | undefined;
  for (const member of planned) {
    const { object, offset, storedLength } = member.location;
    if (!wants(member)) {
      open ??= { members: [], object: "", offset: 0, length: 0 };
      open.members.push(member);
    } else if (open === undefined || open.length === 0) {
      open = { members: [...(open?.members ?? []), member], object, offset, length: storedLength };
    } else {
      const gap = offset - (open.offset + open.length);
      if (open.object === object && gap >= 0 && gap <= GAP_BYTES && open.length + gap + storedLength <= RANGE_BYTES) {
        open.members.push(member);
        open.length += gap + storedLength;
      } else {
        yield open;
        open = { members: [member], object, offset, length: storedLength };
      }
    }
    if (open.members.length < MEMBERS_PER_RANGE) continue;
    yield open;
    open = undefined;
  }
  if (open !== undefined) yield open;
}
