import type { MemberLocation } from "@soar/seekable-tar";
import { damage } from "../quick/check-objects.ts";
import type { Finding } from "../finding.ts";
import type { PlannedMember, PlannedRun } from "./plan-members.ts";
import { backupUnit, sliceName } from "../sample/unit-names.ts";

/** Named in one finding; more are counted. */
const NAMED = 5;

/** Collects what reading a backup brought up, makes one finding of each object, file and archive, and names the units that have to be read to find it again. */
export class DamageReport {
  readonly #label: string;
  readonly #objects = new Map<string, { count: number; first: MemberLocation; why: string; paths: Set<string> }>();
  readonly #pages = new Map<string, number[]>();
  readonly #others: Finding[] = [];
  readonly #onDamaged: (unit: string) => void;

  constructor(label: string, onDamaged: (unit: string) => void) {
    this.#label = label;
    this.#onDamaged = onDamaged;
  }

  /** A member whose bytes are not what was recorded. */
  member({ location, runs }: PlannedMember, why: string): void {
    const known = this.#objects.get(location.object) ?? { count: 0, first: location, why, paths: new Set() };
    known.count += 1;
    for (const { path } of runs) if (known.paths.size <= NAMED) known.paths.add(path);
    this.#objects.set(location.object, known);
    this.#onDamaged(sliceName(location.object, location.offset));
  }

  /** An object whose members are all what was recorded, and whose bytes are not. */
  object(object: string, what: string): void {
    if (!this.#objects.has(object)) this.#whole(damage("object-damaged", object, what));
  }

  pages({ location }: PlannedMember, { path }: PlannedRun, blocks: readonly number[]): void {
    if (blocks.length === 0) return;
    this.#pages.set(path, [...(this.#pages.get(path) ?? []), ...blocks]);
    this.#onDamaged(sliceName(location.object, location.offset));
  }

  /** A file that is whole, but not what PostgreSQL says it sent. */
  file(path: string, what: string): void {
    this.#whole({
      kind: "file-damaged",
      severity: "error",
      where: `${this.#label}: ${path}`,
      what,
      advice:
        "The manifest and the file do not belong together: one of them was changed after the backup. Use another backup, and take a new one.",
    });
  }

  archive(name: string, what: string): void {
    this.#whole(damage("archive-damaged", `${this.#label}: ${name}`, what));
  }

  /** Nothing less than the whole backup shows it. */
  #whole(finding: Finding): void {
    this.#others.push(finding);
    this.#onDamaged(backupUnit(this.#label));
  }

  findings(): Finding[] {
    return [
      ...[...this.#objects].map(([object, known]) => describeObject(object, known)),
      ...[...this.#pages].map(([path, blocks]) => this.#describePages(path, blocks)),
      ...this.#others,
    ];
  }

  #describePages(path: string, blocks: readonly number[]): Finding {
    const named = blocks.slice(0, NAMED).join(", ");
    return {
      kind: "page-damaged",
      severity: "error",
      where: `${this.#label}: ${path}`,
      what: `the checksum of ${blocks.length === 1 ? "block" : `${blocks.length} blocks, the first are`} ${named} is wrong: the page was damaged before it was backed up`,
      advice:
        "Every restore of this backup has that page. Find the relation (pg_relation_filepath, pg_amcheck), repair it on the server or restore it from an older backup, and take a new one.",
    };
  }
}

function describeObject(
  object: string,
  { count, first, why, paths }: { count: number; first: MemberLocation; why: string; paths: ReadonlySet<string> },
): Finding {
  const named = [...paths].slice(0, NAMED).join(", ");
  const more = paths.size > NAMED ? " and more" : "";
  const held = named === "" ? "" : `, which hold ${named}${more}`;
  return damage(
    "object-damaged",
    object,
    `bytes ${first.offset} to ${first.offset + first.storedLength - 1}${count > 1 ? ` and ${count - 1} more places` : ""} are not what was recorded${held}: ${why}`,
  );
}
