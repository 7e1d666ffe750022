import { invalid } from "../codec/damage.ts";
import { EntryOrder } from "./entry-order.ts";
import type { MemberObject } from "./member-list.ts";
import type { MemberRow, PlacedEntry, TableRow } from "./row.ts";

const WHAT = "the seek table";

/** What becomes of the members of an archive. */
export interface MemberCollection {
  readonly length: number;
  push(object: number, member: MemberRow): void;
}

export interface BuiltArchive<Members> {
  readonly name: string;
  readonly members: Members;
  readonly entries: readonly PlacedEntry[];
  readonly plainBytes: number;
}

interface OpenArchive<Members> {
  readonly name: string;
  readonly members: Members;
  readonly entries: PlacedEntry[];
  readonly order: EntryOrder;
  plainBytes: number;
}

/** Collects the rows of a seek table and refuses one whose parts do not fit together, with `FORMAT_INVALID`. */
export class TableBuilder<Members extends MemberCollection> {
  readonly #openMembers: (objects: readonly MemberObject[]) => Members;
  readonly #objects: MemberObject[] = [];
  readonly #archives: BuiltArchive<Members>[] = [];
  #chunkBytes: number | undefined;
  #open: OpenArchive<Members> | undefined;
  #ended = false;

  /** `openMembers` is called as an archive begins, with all objects that were named; more may follow. */
  constructor(openMembers: (objects: readonly MemberObject[]) => Members) {
    this.#openMembers = openMembers;
  }

  add(row: TableRow): void {
    if (this.#ended) throw invalid(WHAT, "lines follow its last one");
    if ((this.#chunkBytes === undefined) !== (row.kind === "header"))
      throw invalid(WHAT, "its header is not its first line, once");
    switch (row.kind) {
      case "header":
        this.#chunkBytes = row.chunkBytes;
        break;
      case "object":
        this.#objects.push({ key: row.key, codec: row.codec });
        break;
      case "archive":
        this.#begin(row.name);
        break;
      case "entry":
        this.#addEntry(row.entry);
        break;
      case "member":
        this.#addMember(row);
        break;
      case "archive-end":
        this.#endArchive(row);
        break;
      case "end":
        if (this.#open !== undefined || row.archives !== this.#archives.length)
          throw invalid(WHAT, "its last line does not fit the archives before it");
        this.#ended = true;
        break;
    }
  }

  end(): { readonly chunkBytes: number; readonly archives: readonly BuiltArchive<Members>[] } {
    if (!this.#ended || this.#chunkBytes === undefined) throw invalid(WHAT, "it ends before its last line");
    return { chunkBytes: this.#chunkBytes, archives: this.#archives };
  }

  #begin(name: string): void {
    if (this.#open !== undefined || this.#archives.some((archive) => archive.name === name))
      throw invalid(WHAT, `the archive '${name}' begins inside of another or twice`);
    const members = this.#openMembers(this.#objects);
    this.#open = { name, members, entries: [], order: new EntryOrder(), plainBytes: 0 };
  }

  #addEntry(entry: PlacedEntry): void {
    const archive = this.#opened();
    archive.order.entry(entry);
    archive.entries.push(entry);
  }

  #addMember(row: MemberRow): void {
    if (row.object >= this.#objects.length) throw invalid(WHAT, `there is no object ${row.object}`);
    if (row.plainLength === 0) throw invalid(WHAT, "a member holds nothing");
    const archive = this.#opened();
    archive.order.member(row.plainLength);
    archive.members.push(row.object, row);
    archive.plainBytes += row.plainLength;
  }

  #endArchive(row: TableRow & { kind: "archive-end" }): void {
    const { name, members, entries, order, plainBytes } = this.#opened();
    if (row.members !== members.length || row.entries !== entries.length || row.plainBytes !== plainBytes)
      throw invalid(WHAT, `the counts of the archive '${name}' do not fit its lines`);
    order.end();
    this.#archives.push({ name, members, entries, plainBytes });
    this.#open = undefined;
  }

  #opened(): OpenArchive<Members> {
    if (this.#open === undefined) throw invalid(WHAT, "a line stands outside of an archive");
    return this.#open;
  }
}
