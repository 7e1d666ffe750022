declare const counted: unique symbol;

/**
 * A number that was counted while the work was done. Plans, records and sizes hold plain numbers, which no report takes in
 * the place of these: what was meant to be done cannot be told as what was done.
 */
export type Counted = number & { readonly [counted]: true };

/** Of the backup, by this run. */
export interface FetchedWork {
  /** Bytes that came from the store, with everything that had to be read to find them. */
  readonly receivedBytes: Counted;
  /** Plain bytes that were written to files. */
  readonly writtenBytes: Counted;
  /** Plain bytes that lay there already as they have to be, compared by their digests. */
  readonly keptBytes: Counted;
}

/** What one run has done. */
export interface RestoreWork {
  /** Undefined when it fetched nothing of the backup, because an earlier run had. */
  readonly fetched: FetchedWork | undefined;
  /** Of fetching, or of finding out that there was nothing to fetch. */
  readonly fetchMs: Counted;
  /** WAL files that the server took, by its own log. */
  readonly replayedFiles: Counted;
  /** Undefined where an earlier run had begun with it, so that this one did not see how long it took. */
  readonly recoverMs: Counted | undefined;
}

/** What extracting an archive has come to, as it is told while it goes on. */
interface Extracted {
  readonly plainBytes: number;
  readonly keptBytes: number;
  readonly storedBytes: number;
  readonly sparedBytes: number;
}

/** How far fetching has got: `doneBytes` of the backup's stored bytes, fetched or found to be spared. */
export interface FetchProgress {
  readonly receivedBytes: number;
  readonly sparedBytes: number;
  readonly doneBytes: number;
}

/** Counts what fetching a backup, archive after archive, really does. */
export class FetchCount {
  #receivedBytes = 0;
  #before: Extracted = { plainBytes: 0, keptBytes: 0, storedBytes: 0, sparedBytes: 0 };
  #current: Extracted = this.#before;

  received(bytes: Uint8Array): void {
    this.#receivedBytes += bytes.length;
  }

  /** Of the archive that is being extracted, so far. */
  extracting(now: Extracted): FetchProgress {
    this.#current = sum(this.#before, now);
    const { storedBytes, sparedBytes } = this.#current;
    return { receivedBytes: this.#receivedBytes, sparedBytes, doneBytes: storedBytes + sparedBytes };
  }

  extracted(archive: Extracted): void {
    this.#before = this.#current = sum(this.#before, archive);
  }

  get work(): FetchedWork {
    const { plainBytes, keptBytes } = this.#before;
    return {
      receivedBytes: count(this.#receivedBytes),
      writtenBytes: count(plainBytes - keptBytes),
      keptBytes: count(keptBytes),
    };
  }
}

/** Adds up what is done while it is done. */
export class Tally {
  #total = 0;

  add(amount: number): void {
    this.#total += amount;
  }

  get total(): Counted {
    return count(this.#total);
  }
}

/** Does something and counts how long it takes. */
export async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: Counted }> {
  const begun = performance.now();
  const value = await work();
  return { value, ms: count(Math.round(performance.now() - begun)) };
}

/** As the server's log names them, one after the other; see `RecoveryOutcome`. */
export function countReplayed({ restoredFiles }: { readonly restoredFiles: number }): Counted {
  return count(restoredFiles);
}

function sum(a: Extracted, b: Extracted): Extracted {
  return {
    plainBytes: a.plainBytes + b.plainBytes,
    keptBytes: a.keptBytes + b.keptBytes,
    storedBytes: a.storedBytes + b.storedBytes,
    sparedBytes: a.sparedBytes + b.sparedBytes,
  };
}

function count(number: number): Counted {
  return number as Counted;
}
