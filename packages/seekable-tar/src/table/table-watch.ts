import { getHeapStatistics } from "node:v8";
import { SoarError } from "@soar/errors";
import type { PlacedEntry, TableRow } from "./row.ts";

/** What the record of a backup says of its archives, and so of how many rows its table can have. */
export interface ExpectedTable {
  /** Length of each tar stream, by the archive's name. */
  readonly archives: ReadonlyMap<string, number>;
  /** Objects that members may lie in, at the most. */
  readonly objects: number;
}

/** A tar stream has at least one block for every entry. */
const HEADER_BYTES = 512;
/** Writers begin a new member behind a large file's end, whose last chunk may be small; the next one holds padding and headers. */
const MEAN_MEMBER_BYTES = HEADER_BYTES / 2;
/** Of an entry on the heap while it is read and planned with. */
const ENTRY_BYTES = 640;
/** Of the heap, which others need, too. */
const SHARE_FOR_ENTRIES = 0.75;

interface WatchedArchive {
  readonly name: string;
  readonly expectedBytes: number;
  plainBytes: number;
  members: number;
  /** Where the content of the last entry ends in the tar stream. */
  contentEnd: number;
  /** One whose content begins in the member after the next, of which it is not known where it begins. */
  ahead: PlacedEntry | undefined;
}

/**
 * Follows the rows of a table in constant memory and refuses the first one that its archives have no room for, before anybody
 * collects rows: a few stored megabytes may be millions of rows. Throws `ARCHIVE_DAMAGED`, or `BACKUP_MISSING` when there are more
 * entries than this process has memory for.
 */
export class TableWatch {
  readonly #name: string;
  readonly #expected: ExpectedTable;
  readonly #mostEntries: number;
  readonly #begun = new Set<string>();
  #objects = 0;
  #entries = 0;
  #archive: WatchedArchive | undefined;

  constructor(name: string, expected: ExpectedTable, mostEntries = entriesThatFit()) {
    this.#name = name;
    this.#expected = expected;
    this.#mostEntries = mostEntries;
  }

  take(row: TableRow): void {
    if (row.kind === "archive") this.#begin(row.name);
    else if (row.kind === "object") this.#count((this.#objects += 1));
    else if (row.kind === "entry") this.#entry(row.entry);
    else if (row.kind === "member") this.#member(row.plainLength);
  }

  #begin(name: string): void {
    const expectedBytes = this.#expected.archives.get(name);
    if (expectedBytes === undefined || this.#begun.has(name))
      throw this.#damaged(`the backup has no archive '${name.slice(0, 40)}', or only one`);
    this.#begun.add(name);
    this.#archive = { name, expectedBytes, plainBytes: 0, members: 0, contentEnd: 0, ahead: undefined };
  }

  #count(objects: number): void {
    if (objects > this.#expected.objects)
      throw this.#damaged(`it names more than the ${this.#expected.objects} objects that its members can lie in`);
  }

  #entry(entry: PlacedEntry): void {
    this.#entries += 1;
    if (this.#entries > this.#mostEntries) throw this.#tooMany();
    const archive = this.#opened();
    if (archive.ahead !== undefined || entry.member < archive.members || entry.member > archive.members + 1)
      throw this.#damaged("its entries do not stand in front of their members");
    if (entry.member === archive.members) this.#place(archive, entry);
    else archive.ahead = entry;
  }

  /** The next entry's header stands between its content and the content before it. */
  #place(archive: WatchedArchive, { offset, size }: PlacedEntry): void {
    const start = archive.plainBytes + offset;
    if (start < archive.contentEnd + HEADER_BYTES) throw this.#damaged("its entries have no room for their headers");
    archive.contentEnd = start + size;
    if (archive.contentEnd > archive.expectedBytes) throw this.#tooLong(archive);
  }

  #member(plainLength: number): void {
    const archive = this.#opened();
    archive.plainBytes += plainLength;
    archive.members += 1;
    if (archive.plainBytes > archive.expectedBytes) throw this.#tooLong(archive);
    if (archive.members > archive.plainBytes / MEAN_MEMBER_BYTES + 2)
      throw this.#damaged("its members are smaller than any writer makes them");
    const { ahead } = archive;
    archive.ahead = undefined;
    if (ahead !== undefined) this.#place(archive, ahead);
  }

  #opened(): WatchedArchive {
    if (this.#archive === undefined) throw this.#damaged("a line stands outside of an archive");
    return this.#archive;
  }

  #tooLong({ name, expectedBytes }: WatchedArchive): SoarError {
    return this.#damaged(`its archive '${name}' is longer than the ${expectedBytes} bytes that were recorded`);
  }

  #damaged(fact: string): SoarError {
    return new SoarError("ARCHIVE_DAMAGED", `unable to use the seek table '${this.#name}': ${fact}`, {
      hint: "Compare the object with what was recorded when it was written, and get an undamaged copy of it.",
    });
  }

  #tooMany(): SoarError {
    return new SoarError(
      "BACKUP_MISSING",
      `unable to use the seek table '${this.#name}': it describes more than ${this.#mostEntries} files, for which this process has no memory`,
      {
        hint: "If the cluster has so many, give Node a larger heap by NODE_OPTIONS (max-old-space-size); if not, somebody has changed the repository.",
      },
    );
  }
}

function entriesThatFit(): number {
  return Math.floor((getHeapStatistics().heap_size_limit * SHARE_FOR_ENTRIES) / ENTRY_BYTES);
}
