import { SoarError } from "@soar/errors";
import { formatTablespaceMap, parseTablespaceMap } from "@soar/pg-tools/labels";
import { TarScanner } from "@soar/seekable-tar";

const MAP = "tablespace_map";
const BLOCK_BYTES = 512;
/** Offset and length of fields in a tar header. */
const SIZE = [124, 12] as const;
const CHECKSUM = [148, 8] as const;

/**
 * The server's tar of a data directory, in which `tablespace_map` names the given places; every other byte stays as it
 * is. With that file in it a tar of the server has no links in `pg_tblspc`: recovery makes them from it.
 */
export class RelocatedTar {
  readonly #locations: ReadonlyMap<number, string>;
  readonly #scanner = new TarScanner();
  /** The header of the next entry, or the end. */
  #held: Buffer[] = [];
  #entry: "none" | "passed" | "map" = "none";
  #collected: Buffer[] = [];
  #map: Buffer | undefined;

  /** @param locations by OID, absolute */
  constructor(locations: ReadonlyMap<number, string>) {
    this.#locations = locations;
  }

  /** The new content of `tablespace_map`, once its entry has passed; undefined where there is none. */
  get map(): Buffer | undefined {
    return this.#map;
  }

  /** What takes the place of a chunk, mostly as views on it. Throws `FORMAT_INVALID` or `BACKUP_INCOMPLETE`. */
  *rewrite(chunk: Buffer): Generator<Buffer, void, undefined> {
    for (const piece of this.#scanner.scan(chunk)) {
      if (piece.kind === "entry") {
        this.#entry = piece.entry.path === MAP ? "map" : "passed";
        if (this.#entry === "passed") yield* this.#held.splice(0);
      } else if (piece.kind === "entry-end") {
        if (this.#entry === "map") yield* this.#newMap();
        this.#entry = "none";
      } else if (this.#entry === "passed") {
        yield piece.bytes;
      } else if (this.#entry === "none") {
        // The chunk may be used again before the entry is known.
        this.#held.push(Buffer.from(piece.bytes));
      } else if (piece.kind === "content") {
        this.#collected.push(Buffer.from(piece.bytes));
      }
    }
  }

  /** The end of the tar. Throws `FORMAT_INVALID` when it was cut off. */
  *end(): Generator<Buffer, void, undefined> {
    this.#scanner.finish();
    yield* this.#held.splice(0);
  }

  *#newMap(): Generator<Buffer, void, undefined> {
    const entries = parseTablespaceMap(Buffer.concat(this.#collected));
    const map = formatTablespaceMap(entries.map(({ oid }) => ({ oid, location: this.#locationOf(oid) })));
    this.#map = map;
    yield withSize(Buffer.concat(this.#held.splice(0)), map.length);
    yield map;
    yield Buffer.alloc((BLOCK_BYTES - (map.length % BLOCK_BYTES)) % BLOCK_BYTES);
  }

  #locationOf(oid: number): string {
    const location = this.#locations.get(oid);
    if (location !== undefined) return location;
    throw new SoarError(
      "BACKUP_INCOMPLETE",
      `unable to name the place of tablespace ${oid}: it is not one that was restored`,
      { hint: "Take the backup from the server: leave --from-archive out." },
    );
  }
}

/** The sum over the header is counted as if its own field held blanks. */
function withSize(header: Buffer, size: number): Buffer {
  writeOctal(header, SIZE, size);
  header.fill(" ", CHECKSUM[0], CHECKSUM[0] + CHECKSUM[1]);
  writeOctal(
    header,
    CHECKSUM,
    header.reduce((sum, byte) => sum + byte, 0),
  );
  return header;
}

/** As PostgreSQL writes numbers: all digits of the field, and a blank. */
function writeOctal(header: Buffer, [at, length]: readonly [number, number], value: number): void {
  header.write(`${value.toString(8).padStart(length - 1, "0")} `, at, "latin1");
}
