/** What of a base backup a rescue fetches: the less, the faster. */
export type RescueScope =
  /** Everything: the way out when a smaller choice could not be proved right. */
  | { readonly kind: "cluster" }
  /** One database with the shared catalogs. */
  | { readonly kind: "database"; readonly oid: number }
  /** Some relations of one database, by `relfilenode`, with its catalogs. */
  | { readonly kind: "relations"; readonly oid: number; readonly fileNumbers: ReadonlySet<number> };

/** Relations that are told only by the catalogs, which have to be fetched first. */
export interface RelationsToChoose {
  readonly kind: "relations-to-choose";
  readonly oid: number;
  /** Reads the catalogs in these directories of the database. Tells a doubt when they cannot be relied upon. */
  choose(directories: readonly string[]): Promise<ChosenRelations>;
}

export type ChosenRelations =
  | {
      readonly fileNumbers: ReadonlySet<number>;
      /** False when a catalog that has to be read is among them and not there yet: fetch these, then choose again. */
      readonly complete: boolean;
      readonly doubt?: never;
    }
  | { readonly doubt: string };

export type RescueChoice = RescueScope | RelationsToChoose;

/** What is known from the start: of relations that are yet to be chosen, the catalogs. */
export function initialScope(choice: RescueChoice): RescueScope {
  return choice.kind === "relations-to-choose"
    ? { kind: "relations", oid: choice.oid, fileNumbers: new Set() }
    : choice;
}

/** `fetch` it; give a file of its size and no content; or do without it. */
export type FileFate = "fetch" | "placeholder" | "omit";

/** What recovery and the catalogs need beside relations. Everything else in a data directory, such as its configuration and logs, is the source's own. */
const NEEDED = new Set([
  "PG_VERSION",
  "backup_label",
  "tablespace_map",
  "global",
  "pg_commit_ts",
  "pg_logical",
  "pg_multixact",
  "pg_subtrans",
  "pg_twophase",
  "pg_xact",
]);
/** Directories that a server wants to find, whatever was in them at the source. */
const EMPTY = new Set([
  "pg_dynshmem",
  "pg_notify",
  "pg_replslot",
  "pg_serial",
  "pg_snapshots",
  "pg_stat",
  "pg_stat_tmp",
  "pg_tblspc",
  "pg_wal",
]);

/** OIDs below are those of the catalogs (`FirstNormalObjectId`, transam.h), and so are most of their file numbers. */
const FIRST_NORMAL_OBJECT_ID = 16_384;
/** pg_largeobject and its index: a dump of tables leaves large objects out, and they may be most of a database. */
const LARGE_OBJECTS = new Set([2613, 2683]);

const FILE_IN_DATABASE = /^(?:base|pg_tblspc\/\d+\/PG_\d+_\d+|PG_\d+_\d+)\/(\d+)\/(.+)$/;
const FILE_NUMBER = /^(\d+)(?:_(?:fsm|vm|init))?(?:\.\d+)?$/;

/** Decides about a file or directory by its path in the archive of the data directory or of a tablespace. */
export function fateOf(path: string, type: string, scope: RescueScope): FileFate {
  const [top = ""] = path.split("/");
  const isDirectory = type === "directory";
  if (path === "." || NEEDED.has(top)) return "fetch";
  if (EMPTY.has(top)) return isDirectory && !/^pg_(?:replslot|tblspc)\/./.test(path) ? "fetch" : "omit";
  if (top !== "base" && !/^PG_\d+_\d+$/.test(top)) return "omit";
  if (isDirectory) return "fetch";
  // Links between files of a data directory are nobody's business.
  return type === "file" ? fateInDatabase(path, scope) : "omit";
}

function fateInDatabase(path: string, scope: RescueScope): FileFate {
  if (scope.kind === "cluster") return "fetch";
  const [, database, name = ""] = FILE_IN_DATABASE.exec(path) ?? [];
  if (database === undefined) return "omit";
  if (Number(database) !== scope.oid) return "placeholder";
  if (scope.kind === "database") return "fetch";
  const fileNumber = FILE_NUMBER.exec(name)?.[1];
  return fileNumber === undefined || isWanted(Number(fileNumber), scope.fileNumbers) ? "fetch" : "placeholder";
}

function isWanted(fileNumber: number, wanted: ReadonlySet<number>): boolean {
  return wanted.has(fileNumber) || (fileNumber < FIRST_NORMAL_OBJECT_ID && !LARGE_OBJECTS.has(fileNumber));
}

/** The path of a relation's first file, without fork and segment: what PostgreSQL's messages and `pg_relation_filepath()` name it by. */
export function relationOfFile(path: string): string {
  return path.replace(/(?:_(?:fsm|vm|init))?(?:\.\d+)?$/, "");
}
