import { join } from "node:path";
import { readIfPresent } from "@soar/durable-files";
import {
  classRows,
  dependRows,
  namespaceRows,
  pairRows,
  parseFileNodeMap,
  type Belonging,
  type ClassRow,
} from "./catalog-rows.ts";

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

export interface ChosenRelations {
  readonly fileNumbers: ReadonlySet<number>;
  /** False when a catalog that has to be read is among them and not there yet: fetch these, then choose again. */
  readonly complete: boolean;
}

const CATALOGS = { class: 1259, namespace: 2615, index: 2610, inherits: 2611, depend: 2608 } as const;
const FIRST_NORMAL_OBJECT_ID = 16_384;

/**
 * The files of tables with their partitions, indexes, TOAST tables and owned sequences, over all versions of the rows in
 * the catalogs of a base backup: whichever of them is right when the backup is consistent, its file is among them. Files
 * that appear later come from WAL. The catalogs' own files are included, wherever they moved.
 */
export async function chooseRelations(options: ChooseOptions): Promise<ChosenRelations> {
  const map = parseFileNodeMap((await readFromAny(options.directories, "pg_filenode.map")) ?? Buffer.alloc(0));
  const missing = new Set<number>();
  const read = async (fileNumbers: Iterable<number>): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for (const fileNumber of fileNumbers) {
      const pages = await readSegments(options.directories, fileNumber);
      if (pages === undefined) missing.add(fileNumber);
      else parts.push(pages);
    }
    return Buffer.concat(parts);
  };
  const classes = classRows(
    await read([map.get(CATALOGS.class) ?? CATALOGS.class]),
    options.blockSize,
    options.postgresMajor,
  );
  const filesOf = fileIndex(classes, map);
  const catalog = async (oid: number): Promise<Buffer> => await read(filesOf.get(oid) ?? []);
  const namespaces = namespaceRows(await catalog(CATALOGS.namespace), options.blockSize);
  const belongings = [
    ...pairRows(await catalog(CATALOGS.index), options.blockSize),
    ...pairRows(await catalog(CATALOGS.inherits), options.blockSize),
    ...dependRows(await catalog(CATALOGS.depend), options.blockSize),
    ...classes.map(({ oid, toast }) => ({ part: toast, whole: oid })),
  ];
  if (missing.size > 0) return { fileNumbers: missing, complete: false };
  const wanted = closeOver(oidsOf(options.tables, classes, namespaces), belongings);
  for (const oid of filesOf.keys()) if (oid < FIRST_NORMAL_OBJECT_ID) wanted.add(oid);
  return { fileNumbers: new Set([...wanted].flatMap((oid) => [...(filesOf.get(oid) ?? [])])), complete: true };
}

/** Every file number that any version of a row gives a relation. */
function fileIndex(classes: readonly ClassRow[], map: ReadonlyMap<number, number>): Map<number, Set<number>> {
  const files = new Map<number, Set<number>>();
  const add = (oid: number, fileNumber: number): void => {
    if (fileNumber !== 0) files.set(oid, (files.get(oid) ?? new Set()).add(fileNumber));
  };
  for (const { oid, fileNumber } of classes) add(oid, fileNumber);
  for (const [oid, fileNumber] of map) add(oid, fileNumber);
  return files;
}

function oidsOf(
  tables: readonly TableName[],
  classes: readonly ClassRow[],
  namespaces: readonly { readonly oid: number; readonly name: string }[],
): number[] {
  const schemas = new Map(namespaces.map(({ oid, name }) => [oid, name]));
  return classes
    .filter(({ name, namespace }) =>
      tables.some((table) => table.name === name && table.schema === schemas.get(namespace)),
    )
    .map(({ oid }) => oid);
}

/** Partitions of partitions, the indexes of TOAST tables: whatever belongs to what belongs to them. */
function closeOver(start: readonly number[], belongings: readonly Belonging[]): Set<number> {
  const parts = new Map<number, number[]>();
  for (const { part, whole } of belongings) if (part !== 0) parts.set(whole, [...(parts.get(whole) ?? []), part]);
  const found = new Set(start);
  // A set yields what is added while it is walked through.
  for (const oid of found) for (const part of parts.get(oid) ?? []) found.add(part);
  return found;
}

/** All files of a relation's main fork, one behind the other; undefined when there is none. */
async function readSegments(directories: readonly string[], fileNumber: number): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  for (;;) {
    const part = await readFromAny(
      directories,
      parts.length === 0 ? String(fileNumber) : `${fileNumber}.${parts.length}`,
    );
    if (part === undefined) return parts.length === 0 ? undefined : Buffer.concat(parts);
    parts.push(part);
  }
}

async function readFromAny(directories: readonly string[], name: string): Promise<Buffer | undefined> {
  for (const directory of directories) {
    const content = await readIfPresent(join(directory, name));
    if (content !== undefined) return content;
  }
  return undefined;
}
