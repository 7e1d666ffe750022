import { parseBackupKey } from "@soar/repository";
import type { MemberLocation } from "@soar/seekable-tar";
import { sliceName } from "../sample/unit-names.ts";

/**
 * Which slices of other backups were read whole in the course of reading an incremental and a sample: an incremental's
 * chunks lie anywhere in them. Keeps the offset of every such member that was read.
 */
export class ReadCoverage {
  readonly #labels: ReadonlySet<string>;
  readonly #read = new Map<string, Set<number>>();
  /** By slice: members that begin there, and of them those that were read. */
  readonly #slices = new Map<string, { members: number; read: number }>();

  /** @param labels backups that are referred to */
  constructor(labels: Iterable<string>) {
    this.#labels = new Set(labels);
  }

  /** Whether it is worth telling of this backup's own members. */
  concerns(label: string): boolean {
    return this.#labels.has(label);
  }

  /** Tells of a member of the backup that its object belongs to, each once. */
  exists({ object, offset }: MemberLocation): void {
    this.#slice(object, offset).members += 1;
  }

  /** Tells that a member's bytes were read and compared, for whatever backup. */
  add({ object, offset }: MemberLocation): void {
    if (!this.#labels.has(parseBackupKey(object)?.label ?? "")) return;
    const offsets = this.#read.get(object) ?? new Set();
    this.#read.set(object, offsets);
    if (offsets.has(offset)) return;
    offsets.add(offset);
    this.#slice(object, offset).read += 1;
  }

  /** Names of the slices of which every member was read. */
  wholeSlices(): string[] {
    return [...this.#slices].flatMap(([name, { members, read }]) => (members > 0 && read >= members ? [name] : []));
  }

  #slice(object: string, offset: number): { members: number; read: number } {
    const name = sliceName(object, offset);
    const slice = this.#slices.get(name) ?? { members: 0, read: 0 };
    this.#slices.set(name, slice);
    return slice;
  }
}
