import { free } from "@soar/task-pool";
import { type FrameRange, framesOf, readFrame, showFrame, type StoredTable } from "./stored-table.ts";

/** Frames whose text is kept: a cluster of 50 GB has no more, and its table is read once. */
const KEPT_FRAMES = 2;

/** A frame of a table, and which of all members of the table it holds. */
interface NumberedFrame extends FrameRange {
  readonly firstMember: number;
}

export interface OpenFrame {
  readonly plain: Buffer;
  /** Number of its first member, counted from the beginning of the table. */
  readonly first: number;
  /** Number of the first member behind it. */
  readonly end: number;
}

/** The frames of a stored table, and where in them its members are, which is noted as the table is gone through for the first time. */
export class StoredFrames {
  readonly #table: StoredTable;
  readonly #ranges: readonly FrameRange[];
  readonly #frames: NumberedFrame[] = [];
  /** The last used one comes last. */
  readonly #kept = new Map<number, Promise<Buffer>>();
  #members = 0;

  constructor(table: StoredTable) {
    this.#table = table;
    this.#ranges = [...framesOf(table.frames)];
  }

  /** Members that were counted until now. */
  get members(): number {
    return this.#members;
  }

  /** Notes that the members from here on lie in the next frame, whose text this is. */
  beginFrame(plain: Buffer): void {
    const range = this.#ranges[this.#frames.length];
    if (range === undefined) throw new RangeError("the table has no further frame");
    // Nobody goes through members yet: what is kept no longer is of no use to anybody.
    this.#keep(this.#frames.length, Promise.resolve(plain), free);
    this.#frames.push({ ...range, firstMember: this.#members });
  }

  countMember(): void {
    this.#members += 1;
  }

  /** The frame that holds this member. Rejects as `readSeekTableRows` does for a frame that is not what was recorded. */
  async openWith(member: number, signal: AbortSignal | undefined): Promise<OpenFrame> {
    const index = this.#frames.findLastIndex(({ firstMember }) => firstMember <= member);
    const frame = this.#frames[index];
    if (frame === undefined || member >= this.#members) throw new RangeError(`no member ${member}`);
    const end = this.#frames[index + 1]?.firstMember ?? this.#members;
    return { plain: await this.#read(index, frame, signal), first: frame.firstMember, end };
  }

  async #read(index: number, frame: FrameRange, signal: AbortSignal | undefined): Promise<Buffer> {
    const kept = this.#kept.get(index);
    const reading = kept ?? this.#fetch(frame, signal ?? new AbortController().signal);
    this.#keep(index, reading);
    try {
      return await reading;
    } catch (error) {
      // Whoever asks again, asks the store.
      this.#kept.delete(index);
      throw error;
    }
  }

  async #fetch(frame: FrameRange, signal: AbortSignal): Promise<Buffer> {
    return showFrame(this.#table, await readFrame(this.#table, frame, signal));
  }

  #keep(index: number, plain: Promise<Buffer>, onLeft?: (plain: Buffer) => void): void {
    this.#kept.delete(index);
    this.#kept.set(index, plain);
    for (const [oldest, left] of this.#kept) {
      if (this.#kept.size <= KEPT_FRAMES) return;
      this.#kept.delete(oldest);
      if (onLeft !== undefined) void left.then(onLeft);
    }
  }
}
