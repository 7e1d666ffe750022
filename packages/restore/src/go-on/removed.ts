import { isRemovedBy, parseStateFile, type RemovedRelation, type Removals } from "@soar/pg-tools/changed-blocks";
import { parseRelationPath } from "@soar/pg-tools/page-checksum";

/** How a cluster divides its files. */
export interface FileGeometry {
  readonly postgresMajor: number;
  readonly blockSize: number;
  readonly blocksPerRelationFile: number;
}

/** What WAL has taken away, by the names of files: thousands of tables may be gone, and each has several. */
export class Removed {
  readonly #geometry: FileGeometry;
  readonly #states: Removals["states"];
  readonly #relations: ReadonlyMap<string, RemovedRelation>;
  readonly #databases: ReadonlySet<string>;

  constructor({ relations, databases, states }: Removals, geometry: FileGeometry) {
    this.#geometry = geometry;
    this.#states = states;
    this.#relations = new Map(
      relations.map((one) => [keyOf(one.tablespace, one.database, one.fileNumber), one] as const),
    );
    this.#databases = new Set(databases.map(({ tablespace, database }) => keyOf(tablespace, database)));
  }

  static nothing(geometry: FileGeometry): Removed {
    return new Removed({ relations: [], databases: [], states: [] }, geometry);
  }

  /** How many of a file's first blocks no WAL has cut off, at any moment: infinite where none was, 0 where the file may be gone. */
  leftBlocks(name: string): number {
    const { postgresMajor, blockSize, blocksPerRelationFile } = this.#geometry;
    const states = parseStateFile(name, { blockSize, pgMajor: postgresMajor });
    if (states !== undefined) return this.#states.some((removal) => isRemovedBy(states, removal)) ? 0 : Infinity;
    if (this.hasDatabaseGone(name)) return 0;
    const path = parseRelationPath(name);
    const found =
      path === undefined ? undefined : this.#relations.get(keyOf(path.tablespace, path.database, path.fileNumber));
    if (path === undefined || found === undefined) return Infinity;
    if (found.isDropped) return 0;
    return Math.max(0, blocksOf(path.fork, found, blockSize) - path.segment * blocksPerRelationFile);
  }

  /** Whether the database that a file belongs to was removed: what is there now is another, or a copy of another's files. */
  hasDatabaseGone(name: string): boolean {
    const [, inBase, oid, inTablespace] = /^(?:base\/(\d+)|pg_tblspc\/(\d+)\/[^/]+\/(\d+))\//.exec(name) ?? [];
    return this.#databases.has(keyOf(Number(oid ?? DEFAULT_TABLESPACE), Number(inBase ?? inTablespace ?? 0)));
  }
}

/** `pg_default` (pg_tablespace.dat). */
const DEFAULT_TABLESPACE = 1663;

function keyOf(...numbers: readonly number[]): string {
  return numbers.join("/");
}

/** `PageHeaderData`, as it is aligned. */
const HEADER_BYTES = 24;

/** A visibility map has two bits for each block (`HEAPBLOCKS_PER_PAGE`). Of a free space map nothing has to be there. */
function blocksOf(fork: "main" | "vm" | "fsm" | "init", { leftBlocks }: RemovedRelation, blockSize: number): number {
  if (fork === "main") return leftBlocks.main;
  if (fork === "vm") return Math.ceil(leftBlocks.vm / ((blockSize - HEADER_BYTES) * 4));
  return fork === "fsm" && leftBlocks.fsm < Infinity ? 0 : Infinity;
}
