/** What the path of a file in a data directory says about the relation in it. */
export interface RelationPath {
  /** OIDs; the database of shared relations is 0. */
  readonly tablespace: number;
  readonly database: number;
  /** `relfilenode`, not the OID of the relation. */
  readonly fileNumber: number;
  readonly fork: "main" | "fsm" | "vm" | "init";
  /** Which of the relation's files: blocks before it are `segment` times the blocks per file. */
  readonly segment: number;
}

const RELATION_PATH =
  /^(?:global|base\/(\d+)|pg_tblspc\/(\d+)\/PG_\d+_\d+\/(\d+))\/([1-9]\d*)(?:_(fsm|vm|init))?(?:\.([1-9]\d*))?$/;

/** `pg_default` and `pg_global` (pg_tablespace.dat). */
const DEFAULT_TABLESPACE = 1663;
const GLOBAL_TABLESPACE = 1664;

/**
 * Reads a path relative to the data directory. Files of pages with checksums are exactly these; `undefined` for all
 * others (pg_control, pg_filenode.map, PG_VERSION, temporary relations, which no backup holds).
 */
export function parseRelationPath(path: string): RelationPath | undefined {
  const [, inBase, tablespace, inTablespace, fileNumber, fork = "main", segment = "0"] = RELATION_PATH.exec(path) ?? [];
  if (fileNumber === undefined) return undefined;
  const database = inBase ?? inTablespace;
  return {
    tablespace:
      tablespace === undefined ? (database === undefined ? GLOBAL_TABLESPACE : DEFAULT_TABLESPACE) : Number(tablespace),
    database: Number(database ?? 0),
    fileNumber: Number(fileNumber),
    fork: fork as RelationPath["fork"],
    segment: Number(segment),
  };
}
