import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";

// What a copy that was let go on may go through, and what may happen to its files, chosen by a seed.

/** Something that a server does by itself or as it is told. */
export type Deed = readonly string[] | "restart" | "crash";

const KINDS = ["btree (n)", "hash (n)", "brin (n)", "gist (point(n, n))", "spgist (text)", "gin ((ARRAY[n]))"];
const STRATEGIES = ["file_copy", "wal_log"];

function deedsWith(tables: fc.Arbitrary<string>, directory: string): fc.Arbitrary<Deed> {
  const number = fc.integer({ min: 1, max: 99 });
  const rows = "SELECT n, md5(n::text) AS text FROM generate_series(1, 3000) AS n";
  return fc.oneof(
    number.map((n): Deed => [`DROP TABLE IF EXISTS t${n}`, `CREATE TABLE t${n} AS ${rows}`]),
    number.map((n): Deed => ["BEGIN", `CREATE TABLE a${n} AS ${rows}`, "ROLLBACK"]),
    number.map((n): Deed => [`DROP TABLE IF EXISTS u${n}`, `CREATE UNLOGGED TABLE u${n} AS ${rows}`]),
    number.map((n): Deed => [`DROP TABLE IF EXISTS t${n}, u${n}`]),
    fc
      .tuple(number, fc.constantFrom(...STRATEGIES))
      .map(([n, strategy]): Deed => [`DROP DATABASE IF EXISTS d${n}`, `CREATE DATABASE d${n} STRATEGY ${strategy}`]),
    fc
      .tuple(tables, fc.constantFrom(...KINDS))
      .map(([table, kind]): Deed => [`CREATE INDEX ON ${table} USING ${kind}`]),
    tables.map((table): Deed => [`TRUNCATE ${table}`, `INSERT INTO ${table} ${rows} LIMIT 500`]),
    tables.map((table): Deed => [`BEGIN`, `TRUNCATE ${table}`, `INSERT INTO ${table} ${rows}`, "COMMIT"]),
    fc
      .tuple(tables, fc.integer({ min: 0, max: 9000 }))
      .map(([table, from]): Deed => [`DELETE FROM ${table} WHERE n > ${from}`, `VACUUM ${table}`]),
    tables.map((table): Deed => [
      `COPY (SELECT * FROM ${table} LIMIT 4000) TO '${join(directory, "rows.copy")}'`,
      `DELETE FROM ${table}`,
      `VACUUM ${table}`,
      `COPY ${table} FROM '${join(directory, "rows.copy")}'`,
    ]),
    tables.map((table): Deed => [`UPDATE ${table} SET n = n + 1 WHERE n % 5 = 0`]),
    tables.map((table): Deed => [`VACUUM (FULL, FREEZE) ${table}`]),
    tables.map((table): Deed => [`VACUUM (FREEZE) ${table}`, "VACUUM (FREEZE) pg_class"]),
    fc.constantFrom<Deed>(["CHECKPOINT"], "restart", "crash"),
  );
}

/** @param directory where the server may write */
export function randomDeeds(
  seed: number,
  tables: readonly string[],
  { count, directory }: { readonly count: number; readonly directory: string },
): readonly Deed[] {
  return fc.sample(deedsWith(fc.constantFrom(...tables), directory), { seed, numRuns: count });
}

/** What happens to a file that its server has no part in, and undoes itself. */
export interface Damage {
  readonly name: string;
  readonly file: string;
  /** Returns what puts it back. */
  do(): () => void;
}

const PAGE = 8192;

/** @param table a file of pages that its server does not write meanwhile */
export function randomDamage(seed: number, dataDir: string, table: string): Damage {
  const bytes = readFileSync(join(dataDir, table));
  // It has grown by more than was needed.
  let used = 0;
  while (!bytes.subarray(used * PAGE, (used + 1) * PAGE).equals(Buffer.alloc(PAGE))) used += 1;
  const block = fc.integer({ min: 1, max: used - 2 });
  const version = "base/1/PG_VERSION";
  const map = "global/pg_filenode.map";
  const damage = fc.oneof(
    // Of the eight bits of any byte of it, the highest is no hint.
    fc.tuple(block, fc.integer({ min: 4500, max: PAGE - 1 })).map(([n, at]) => flip(dataDir, table, n * PAGE + at)),
    block.map((n) => overwrite(dataDir, table, "a page of zeros", n * PAGE, Buffer.alloc(PAGE))),
    block.map((n) => {
      const next = readFileSync(join(dataDir, table)).subarray((n + 1) * PAGE, (n + 2) * PAGE);
      return overwrite(dataDir, table, "the page behind it", n * PAGE, next);
    }),
    block.map((n) => cut(dataDir, table, n * PAGE + (n % 2) * 100)),
    fc.constantFrom(table, version, map).map((file) => remove(dataDir, file)),
    fc.integer({ min: 8, max: 400 }).map((at) => flip(dataDir, map, at)),
  );
  return fc.sample(damage, { seed, numRuns: 1 })[0] as Damage;
}

function overwrite(dataDir: string, name: string, what: string, position: number, bytes: Buffer): Damage {
  return {
    name: `${what} at ${position}`,
    file: name,
    do() {
      const path = join(dataDir, name);
      const before = readFileSync(path).subarray(position, position + bytes.length);
      const write = (content: Buffer): void => {
        const file = openSync(path, "r+");
        writeSync(file, content, 0, content.length, position);
        closeSync(file);
      };
      write(bytes);
      return () => write(before);
    },
  };
}

function flip(dataDir: string, name: string, position: number): Damage {
  const file = openSync(join(dataDir, name), "r");
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, position);
  closeSync(file);
  return overwrite(dataDir, name, "another byte", position, Buffer.from([(byte[0] ?? 0) ^ 0x80]));
}

function cut(dataDir: string, name: string, size: number): Damage {
  return {
    name: `cut off at ${size}`,
    file: name,
    do() {
      const bytes = readFileSync(join(dataDir, name));
      const file = openSync(join(dataDir, name), "r+");
      ftruncateSync(file, size);
      return () => {
        writeSync(file, bytes, size, bytes.length - size, size);
        if (fstatSync(file).size !== bytes.length) throw new Error("the file was not put back");
        closeSync(file);
      };
    },
  };
}

function remove(dataDir: string, name: string): Damage {
  const [path, aside] = [join(dataDir, name), join(dataDir, "aside")];
  return {
    name: "gone",
    file: name,
    do() {
      renameSync(path, aside);
      return () => renameSync(aside, path);
    },
  };
}
