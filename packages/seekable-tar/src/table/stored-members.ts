import { invalid } from "../codec/damage.ts";
import type { MemberObject } from "./member-list.ts";
import type { MemberCursor, MemberSource } from "./member-source.ts";
import { parseRow } from "./parse-row.ts";
import type { MemberLocation } from "./row.ts";
import type { StoredFrames } from "./stored-frames.ts";
import { LINE_FEED } from "./stored-table.ts";

const MEMBER_TAG = Buffer.from('["m",');

/** The members of one archive of a table that is read where it is stored. */
export class StoredMembers implements MemberSource {
  readonly #frames: StoredFrames;
  readonly #objects: readonly MemberObject[];
  /** Members of the archives before. */
  readonly #before: number;
  #length = 0;

  constructor(frames: StoredFrames, objects: readonly MemberObject[]) {
    this.#frames = frames;
    this.#objects = objects;
    this.#before = frames.members;
  }

  get length(): number {
    return this.#length;
  }

  /** Counts one more, as the table is gone through for the first time. */
  push(): void {
    this.#length += 1;
    this.#frames.countMember();
  }

  openCursor(signal?: AbortSignal): MemberCursor {
    const lines = new MemberLines(this.#frames, signal);
    return {
      at: (index) => {
        if (index >= this.#length) throw new RangeError(`no member ${index}`);
        return lines.at(this.#before + index, this.#objects);
      },
    };
  }
}

/** Goes through the lines of members, whose numbers count from the beginning of the table. */
class MemberLines {
  readonly #frames: StoredFrames;
  readonly #signal: AbortSignal | undefined;
  #frame: { readonly plain: Buffer; readonly end: number } | undefined;
  /** Where the line behind the current member begins, and which member comes next. */
  #at = 0;
  #next = 0;
  #current: MemberLocation | undefined;

  constructor(frames: StoredFrames, signal: AbortSignal | undefined) {
    this.#frames = frames;
    this.#signal = signal;
  }

  async at(number: number, objects: readonly MemberObject[]): Promise<MemberLocation> {
    if (this.#current !== undefined && number === this.#next - 1) return this.#current;
    if (this.#frame === undefined || number < this.#next || number >= this.#frame.end) await this.#enter(number);
    this.#current = this.#read(number, objects);
    return this.#current;
  }

  async #enter(number: number): Promise<void> {
    // Not both frames at once.
    this.#frame = undefined;
    const { first, ...frame } = await this.#frames.openWith(number, this.#signal);
    [this.#frame, this.#at, this.#next] = [frame, 0, first];
  }

  #read(number: number, objects: readonly MemberObject[]): MemberLocation {
    const plain = this.#frame?.plain ?? Buffer.alloc(0);
    while (this.#at < plain.length) {
      const begin = this.#at;
      const end = plain.indexOf(LINE_FEED, begin);
      this.#at = end + 1;
      if (plain.compare(MEMBER_TAG, 0, MEMBER_TAG.length, begin, begin + MEMBER_TAG.length) !== 0) continue;
      this.#next += 1;
      if (this.#next <= number) continue;
      const row = parseRow(plain.toString("latin1", begin, end));
      const object = row.kind === "member" ? objects[row.object] : undefined;
      if (row.kind !== "member" || object === undefined) break;
      const { kind: _, ...member } = row;
      return { ...member, object: object.key, codec: object.codec };
    }
    throw invalid("the seek table", `member ${number} is not where it was`);
  }
}
