import { invalid } from "../codec/damage.ts";
import type { PlacedEntry, TableRow } from "./row.ts";
import { MemberList, type MemberObject } from "./member-list.ts";
import type { SeekArchive, SeekTable } from "./seek-table.ts";

const WHAT = "the seek table";

interface OpenArchive {
  readonly name: string;
  readonly members: MemberList;
  readonly entries: PlacedEntry[];
  plainBytes: number;
}

/** Collects the rows of a seek table and refuses one whose parts do not fit together, with `FORMAT_INVALID`. */
export class TableBuilder {
  readonly #objects: MemberObject[] = [];
  readonly #archives: SeekArchive[] = [];
  #chunkBytes: number | undefined;
  #open: OpenArchive | undefined;
  #ended = false;

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
        this.#opened().entries.push(row.entry);
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

  end(): SeekTable {
    if (!this.#ended || this.#chunkBytes === undefined) throw invalid(WHAT, "it ends before its last line");
    return { chunkBytes: this.#chunkBytes, archives: this.#archives };
  }

  #begin(name: string): void {
    if (this.#open !== undefined || this.#archives.some((archive) => archive.name === name))
      throw invalid(WHAT, `the archive '${name}' begins inside of another or twice`);
    this.#open = { name, members: new MemberList(this.#objects), entries: [], plainBytes: 0 };
  }

  #addMember(row: TableRow & { kind: "member" }): void {
    if (row.object >= this.#objects.length) throw invalid(WHAT, `there is no object ${row.object}`);
    if (row.plainLength === 0) throw invalid(WHAT, "a member holds nothing");
    const archive = this.#opened();
    archive.members.push(row.object, row);
    archive.plainBytes += row.plainLength;
  }

  #endArchive(row: TableRow & { kind: "archive-end" }): void {
    const { name, members, entries, plainBytes } = this.#opened();
    if (row.members !== members.length || row.entries !== entries.length || row.plainBytes !== plainBytes)
      throw invalid(WHAT, `the counts of the archive '${name}' do not fit its lines`);
    checkEntries(members, entries);
    this.#archives.push({ name, members, entries, plainBytes });
    this.#open = undefined;
  }

  #opened(): OpenArchive {
    if (this.#open === undefined) throw invalid(WHAT, "a line stands outside of an archive");
    return this.#open;
  }
}

/** Every entry's content lies inside of the archive, and they do not overlap: extraction relies on both. */
function checkEntries(members: MemberList, entries: readonly PlacedEntry[]): void {
  let member = 0;
  let memberStart = 0;
  let contentEnd = 0;
  for (const entry of entries) {
    for (; member < entry.member && member < members.length; member++) memberStart += members.plainLength(member);
    const inside = entry.member === member && member < members.length && entry.offset <= members.plainLength(member);
    if (!inside || memberStart + entry.offset < contentEnd)
      throw invalid(WHAT, `the content of '${entry.path}' does not follow that of the entry before`);
    if (entry.type !== "file" && entry.size !== 0)
      throw invalid(WHAT, `'${entry.path}' has content without being a file`);
    contentEnd = memberStart + entry.offset + entry.size;
  }
  for (; member < members.length; member++) memberStart += members.plainLength(member);
  if (contentEnd > memberStart) throw invalid(WHAT, "the content of an entry ends behind its archive");
}
