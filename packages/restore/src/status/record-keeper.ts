import { type ProcessLock, removeFile, type Owner } from "@soar/durable-files";
import { inDataDirectory } from "../data-directory.ts";
import type { FetchProgress } from "../work-done.ts";
import { recordPath, writeRestoreRecord, type RestoreRecord } from "./restore-record.ts";

const PROGRESS_MS = 1000;

interface Kept {
  readonly owner: Owner | undefined;
  readonly lock: ProcessLock;
}

/** Keeps the record of a running restore up to date, one write after the other, and the lock that tells that it runs. */
export class RecordKeeper {
  readonly #dataDir: string;
  readonly #owner: Owner | undefined;
  readonly #lock: ProcessLock;
  #isReleased = false;
  #record: RestoreRecord;
  #written: Promise<void> = Promise.resolve();
  #lastProgress = 0;

  constructor(dataDir: string, record: RestoreRecord, { owner, lock }: Kept) {
    this.#dataDir = dataDir;
    this.#record = record;
    this.#owner = owner;
    this.#lock = lock;
  }

  get record(): RestoreRecord {
    return this.#record;
  }

  /** Resolves when it is on disk, with everything that was noted before. */
  async note(change: Partial<RestoreRecord>): Promise<void> {
    this.#record = { ...this.#record, ...change };
    const record = this.#record;
    this.#written = this.#written.then(() => writeRestoreRecord(this.#dataDir, record, this.#owner));
    await this.#written;
  }

  /** Notes progress now and then; a failure to write it shows with the next `note`. */
  progress({ receivedBytes, sparedBytes }: FetchProgress): void {
    this.#record = { ...this.#record, fetchedBytes: receivedBytes, sparedBytes };
    const now = performance.now();
    if (now - this.#lastProgress < PROGRESS_MS) return;
    this.#lastProgress = now;
    this.note({}).catch(() => undefined);
  }

  /** Notes up to which commit recovery has got; like progress. */
  replayed(replayedTime: string): void {
    this.#record = { ...this.#record, replayedTime };
    this.note({}).catch(() => undefined);
  }

  /** This process does nothing any more in the directory. May be called again. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    // A failure was thrown by the `note` that met it; here is only waited for the last write, which must not come behind the lock.
    await this.#written.catch(() => undefined);
    await this.#lock.release();
  }

  /** The restore is over: nobody may go on with it. */
  async remove(): Promise<void> {
    await this.#written;
    // A crash must not bring back a restore that is over.
    await removeFile(recordPath(this.#dataDir), {
      sync: "directory",
      within: inDataDirectory(this.#dataDir, this.#owner),
    });
  }
}
