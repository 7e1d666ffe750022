/** A file with pages whose checksum is wrong, as far as the server's warnings tell. */
export interface DamagedFile {
  /** Relative to the data directory, for example `base/5/16384`; of a file in a tablespace the whole path on the server. */
  readonly path: string;
  /** The first few damaged blocks, counted from the start of this file; the server names no more than five. */
  readonly blocks: readonly number[];
  /** How many blocks of the file are damaged, when the server said so. */
  readonly total: number | undefined;
}

/** What the server found wrong in a backup that it nevertheless sent completely. */
export interface DamageReport {
  /** The server's final error. */
  readonly message: string;
  readonly files: readonly DamagedFile[];
}

const FILE = /(?:\.\/)?((?:base|global|pg_tblspc)\/[A-Za-z0-9_./]+)/;
/** Tablespaces are read where they lie (`sendTablespace`); their directory may have any name. */
const TABLESPACE_FILE = /(?<![\w.])(\/(?:.+?\/)?PG_\d+_\d+\/\d+\/[A-Za-z0-9_.]+)/s;

/** What the server passes over in a data directory: it stores no links but those of tablespaces, and no sockets. By their paths, which begin with `./`. */
const PASSED_OVER = [/["»«“„「]\s*\.\/([^"»«“”」]+?)\s*["»«“”」]/, /['‘]\.\/([^'’]+)['’]/];
/** Names where the data of the cluster lies: a backup without one of them is none. */
const HOLDS_DATA = /^(?:base|global|pg_xact|pg_multixact|pg_commit_ts|pg_twophase|pg_logical)(?:\/|$)/;
/** Of one that warns without end the first tell what there is to tell. */
const KEPT_WARNINGS = 100;

/**
 * Collects the warnings of a backup. Their text comes in the server's language, so only what no language changes is
 * read: the path, and the numbers behind it. A damaged block is told with three (block, calculated, expected), the sum
 * for a file with one, "further failures will not be reported" with none (src/backend/backup/basebackup.c).
 */
export class DamageCollector {
  readonly #files = new Map<string, { blocks: number[]; total: number | undefined }>();
  readonly #others: string[] = [];

  add(warning: string): void {
    const [found = "", path = ""] = TABLESPACE_FILE.exec(warning) ?? FILE.exec(warning) ?? [];
    const numbers = warning.slice(warning.indexOf(found) + found.length).match(/\b[0-9A-F]{1,10}\b/g) ?? [];
    if (path === "" || (numbers.length === 0 && !this.#files.has(path))) {
      if (this.#others.length < KEPT_WARNINGS) this.#others.push(warning);
      return;
    }
    const file = this.#files.get(path) ?? { blocks: [], total: undefined };
    const [first] = numbers;
    if (first !== undefined && numbers.length >= 3) file.blocks.push(Number(first));
    else if (first !== undefined) file.total = Number(first);
    this.#files.set(path, file);
  }

  /** Every warning that is about something else than a damaged page. */
  get warnings(): readonly string[] {
    return this.#others;
  }

  report(message: string): DamageReport {
    return { message, files: [...this.#files].map(([path, file]) => ({ path, ...file })) };
  }
}

/** What a backup lacks by its server's warnings, relative to the data directory: links and sockets, which are not stored. */
export function passedOver(warnings: readonly string[]): string[] {
  const paths = warnings.flatMap((warning) => {
    const path = PASSED_OVER.map((quoted) => quoted.exec(warning)?.[1]).find((found) => found !== undefined);
    return path === undefined ? [] : [path];
  });
  // The server warns once when it measures what it will send, and once when it sends it.
  return [...new Set(paths)];
}

/** Whether a path is one that data of the cluster lies under. */
export function holdsData(path: string): boolean {
  return HOLDS_DATA.test(path);
}
