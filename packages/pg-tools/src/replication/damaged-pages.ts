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

/**
 * Collects the warnings of a backup. Their text comes in the server's language, so only what no language changes is
 * read: the path, and the numbers behind it. A damaged block is told with three (block, calculated, expected), the sum
 * for a file with one, "further failures will not be reported" with none (src/backend/backup/basebackup.c).
 */
export class DamageCollector {
  readonly #files = new Map<string, { blocks: number[]; total: number | undefined }>();

  add(warning: string): void {
    const [found, path] = TABLESPACE_FILE.exec(warning) ?? FILE.exec(warning) ?? [];
    if (found === undefined || path === undefined) return;
    const numbers = warning.slice(warning.indexOf(found) + found.length).match(/\b[0-9A-F]{1,10}\b/g) ?? [];
    const file = this.#files.get(path) ?? { blocks: [], total: undefined };
    const [first] = numbers;
    if (first !== undefined && numbers.length >= 3) file.blocks.push(Number(first));
    else if (first !== undefined) file.total = Number(first);
    this.#files.set(path, file);
  }

  report(message: string): DamageReport {
    return { message, files: [...this.#files].map(([path, file]) => ({ path, ...file })) };
  }
}
