import { Belongings } from "./belongings.ts";
import { classRows, dependRows, namespaceRows, pairRows, parseFileNodeMap, type ClassRow } from "./catalog-rows.ts";
import { readFileNodeMap, readPages } from "./catalog-pages.ts";
import type { ChosenRelations } from "./rescue-scope.ts";

/** A table by its name in SQL. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

export interface ChooseOptions {
  readonly tables: readonly TableName[];
  /** Directories of the database: in the data directory, and in tablespaces. */
  readonly directories: readonly string[];
  readonly blockSize: number;
  readonly postgresMajor: number;
}

const CATALOGS = { class: 1259, namespace: 2615, index: 2610, inherits: 2611, depend: 2608 } as const;
const FIRST_NORMAL_OBJECT_ID = 16_384;
/** Rows that say what belongs to what: each is held in a few bytes. */
const MOST_ROWS = 8_000_000;
/** Relations, and files, that are chosen; and what names them. */
const MOST_CHOSEN = 500_000;

/**
 * The files of tables with their partitions, indexes, TOAST tables and owned sequences, over all versions of the rows in
 * the catalogs of a base backup: whichever of them is right when the backup is consistent, its file is among them. Files
 * that appear later come from WAL. The catalogs' own files are included, wherever they moved. Memory stays bounded whatever the
 * catalogs say: more than it has room for is a doubt.
 */
export async function chooseRelations(options: ChooseOptions): Promise<ChosenRelations> {
  try {
    return await choose(options);
  } catch (error) {
    if (error instanceof TooMany) return { doubt: error.message };
    throw error;
  }
}

class TooMany extends Error {}

function requireRoom(count: number, most: number): void {
  if (count > most) throw new TooMany("the catalogs of the database name more relations than are looked through");
}

async function choose({ tables, directories, blockSize, postgresMajor }: ChooseOptions): Promise<ChosenRelations> {
  const map = parseFileNodeMap(await readFileNodeMap(directories));
  const missing = new Set<number>();
  /** Of files that are not there yet, nothing. */
  const pagesOf = (fileNumbers: Iterable<number>): AsyncGenerator<Buffer, void, undefined> =>
    readPages(fileNumbers, { directories, blockSize, missing });
  const classes = async function* (): AsyncGenerator<ClassRow, void, undefined> {
    for await (const pages of pagesOf([map.get(CATALOGS.class) ?? CATALOGS.class]))
      yield* classRows(pages, blockSize, postgresMajor);
  };
  const catalogs = await filesOfCatalogs(classes(), map);
  const namespaces = new Set<string>();
  for await (const pages of pagesOf(catalogs.get(CATALOGS.namespace) ?? []))
    for (const { oid, name } of namespaceRows(pages, blockSize)) {
      if (tables.some(({ schema }) => schema === name)) namespaces.add(`${oid} ${name}`);
      requireRoom(namespaces.size, MOST_CHOSEN);
    }
  const found = await readClasses(classes(), map, (row) =>
    tables.some(({ schema, name }) => name === row.name && namespaces.has(`${row.namespace} ${schema}`)),
  );
  for (const [catalog, rowsOf] of [
    [CATALOGS.index, pairRows],
    [CATALOGS.inherits, pairRows],
    [CATALOGS.depend, dependRows],
  ] as const)
    for await (const pages of pagesOf(catalogs.get(catalog) ?? []))
      for (const belonging of rowsOf(pages, blockSize)) addTo(found.belongings, belonging);
  if (missing.size > 0) return { fileNumbers: missing, complete: false };
  return { fileNumbers: filesOf(closeOver(found.start, found.belongings), found), complete: true };
}

/** Every file number that any version of a row gives the catalogs that are read. */
async function filesOfCatalogs(
  classes: AsyncIterable<ClassRow>,
  map: ReadonlyMap<number, number>,
): Promise<Map<number, Set<number>>> {
  const files = new Map<number, Set<number>>(
    Object.values(CATALOGS).map((oid) => [oid, new Set([map.get(oid) ?? 0].filter((number) => number !== 0))]),
  );
  for await (const { oid, fileNumber } of classes) {
    const known = files.get(oid);
    if (known === undefined || fileNumber === 0) continue;
    known.add(fileNumber);
    requireRoom(known.size, MOST_CHOSEN);
  }
  return files;
}

interface FoundClasses {
  /** Which the closure begins with: the tables. */
  readonly start: ReadonlySet<number>;
  /** Relations that belong to relations. */
  readonly belongings: Belongings;
  /** Files that belong to relations. */
  readonly files: Belongings;
  /** Files of the catalogs, which are wanted whatever the tables are. */
  readonly always: ReadonlySet<number>;
}

async function readClasses(
  classes: AsyncIterable<ClassRow>,
  map: ReadonlyMap<number, number>,
  isTable: (row: ClassRow) => boolean,
): Promise<FoundClasses> {
  const [start, belongings, files, always] = [new Set<number>(), new Belongings(), new Belongings(), new Set<number>()];
  const addFile = (oid: number, fileNumber: number): void => {
    if (fileNumber === 0) return;
    if (oid < FIRST_NORMAL_OBJECT_ID) always.add(fileNumber);
    else addTo(files, { part: fileNumber, whole: oid });
    requireRoom(always.size, MOST_CHOSEN);
  };
  for await (const row of classes) {
    addFile(row.oid, row.fileNumber);
    addTo(belongings, { part: row.toast, whole: row.oid });
    if (isTable(row)) start.add(row.oid);
    requireRoom(start.size, MOST_CHOSEN);
  }
  for (const [oid, fileNumber] of map) addFile(oid, fileNumber);
  return { start, belongings, files, always };
}

function addTo(belongings: Belongings, belonging: { readonly part: number; readonly whole: number }): void {
  if (belonging.part === 0) return;
  belongings.add(belonging);
  requireRoom(belongings.count, MOST_ROWS);
}

/** Partitions of partitions, the indexes of TOAST tables: whatever belongs to what belongs to them. */
function closeOver(start: ReadonlySet<number>, belongings: Belongings): Set<number> {
  const found = new Set(start);
  // A set yields what is added while it is walked through.
  for (const oid of found)
    for (const part of belongings.partsOf(oid)) {
      found.add(part);
      requireRoom(found.size, MOST_CHOSEN);
    }
  return found;
}

function filesOf(oids: ReadonlySet<number>, { files, always }: FoundClasses): Set<number> {
  const found = new Set(always);
  for (const oid of oids)
    for (const fileNumber of files.partsOf(oid)) {
      found.add(fileNumber);
      requireRoom(found.size, MOST_CHOSEN);
    }
  return found;
}
