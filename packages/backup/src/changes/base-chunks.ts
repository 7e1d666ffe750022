import { parseRelationPath } from "@soar/pg-tools/page-checksum";
import type { BackupRecord } from "@soar/repository";
import { DEFAULT_CHUNK_BYTES, type DigestIndex, type MemberLocation, type PlacedEntry } from "@soar/seekable-tar";

/** Numbers of members grow in steps of this many. */
const STEP = 65_536;

/** A chunk of a relation's file in an earlier backup. */
export interface BaseChunk {
  /** Relative to the data directory. */
  readonly path: string;
  readonly position: number;
  readonly location: MemberLocation;
}

interface ChunkedFile {
  /** Number of its first chunk. */
  readonly first: number;
  readonly size: number;
}

/**
 * Where an earlier backup has each chunk of the main forks that are large enough to be cut: 4 bytes a chunk beside the index
 * that holds the members themselves. Taken from the rows of its seek table, in their order.
 */
export class BaseChunks {
  readonly #index: DigestIndex;
  readonly #files = new Map<string, ChunkedFile>();
  /** For every member of every archive its number in the index. */
  #members = new Int32Array(STEP);
  #count = 0;
  #archiveStart = 0;
  #prefix = "";

  constructor(index: DigestIndex) {
    this.#index = index;
  }

  /** `base`, or the OID of a tablespace. */
  beginArchive(name: string): void {
    this.#prefix = name === "base" ? "" : `pg_tblspc/${name}/`;
    this.#archiveStart = this.#count;
  }

  addEntry({ path, type, size, member, offset }: PlacedEntry): void {
    const inCluster = this.#prefix + path;
    if (type !== "file" || offset !== 0 || size < DEFAULT_CHUNK_BYTES / 2) return;
    if (parseRelationPath(inCluster)?.fork !== "main") return;
    this.#files.set(inCluster, { first: this.#archiveStart + member, size });
  }

  /** Members of all archives so far, each as often as it is named. */
  get memberCount(): number {
    return this.#count;
  }

  addMember(member: MemberLocation): void {
    if (this.#count === this.#members.length) {
      const larger = new Int32Array(this.#members.length * 2);
      larger.set(this.#members);
      this.#members = larger;
    }
    this.#members[this.#count++] = this.#index.add(member);
  }

  /**
   * A file as `damagedPages` names it: a server says the whole path of a file in a tablespace, and perhaps none at all. Then nothing of
   * the earlier backup is left unread.
   */
  forgetDamaged(path: string, tablespaces: BackupRecord["tablespaces"]): void {
    const tablespace = tablespaces.find(({ location }) => path.startsWith(`${location}/`));
    const inCluster =
      tablespace === undefined ? path : `pg_tblspc/${tablespace.oid}${path.slice(tablespace.location.length)}`;
    if (parseRelationPath(inCluster) === undefined) this.forgetAll();
    else this.forget(inCluster);
  }

  /** Where it is not known which files are not what the earlier backup says. */
  forgetAll(): void {
    this.#files.clear();
  }

  /** A file that is not what the earlier backup says, or of which that is not known. */
  forget(path: string): void {
    this.#files.delete(path);
  }

  /** The chunk of this file that begins here, if it has this length there. */
  find(path: string, position: number, length: number): MemberLocation | undefined {
    const file = this.#files.get(path);
    if (file === undefined || position + length > file.size) return undefined;
    const location = this.#locate(file, position);
    return location?.plainLength === length ? location : undefined;
  }

  /** Every chunk, file by file. */
  *chunks(): Generator<BaseChunk, void, undefined> {
    for (const [path, file] of this.#files) {
      for (let position = 0; position < file.size; position += DEFAULT_CHUNK_BYTES) {
        const location = this.#locate(file, position);
        if (location !== undefined) yield { path, position, location };
      }
    }
  }

  #locate({ first }: ChunkedFile, position: number): MemberLocation | undefined {
    if (position % DEFAULT_CHUNK_BYTES !== 0) return undefined;
    const at = first + position / DEFAULT_CHUNK_BYTES;
    return at < this.#count ? this.#index.at(this.#members[at] ?? -1) : undefined;
  }
}
