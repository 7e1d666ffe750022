import { SoarError } from "@soar/errors";
import type { BaseBackupEvent } from "@soar/pg-tools";

type EventOf<T extends BaseBackupEvent["type"]> = Extract<BaseBackupEvent, { type: T }>;

/** One tar of a backup; `data` has to be read to its end before the next one is asked for. */
export interface ArchiveStream {
  readonly oid: number | undefined;
  readonly location: string | undefined;
  readonly data: AsyncGenerator<Buffer, void, undefined>;
}

/** The events of a base backup in their order, as the steps of its reader: start, archives, manifest, end. */
export class BackupEvents {
  readonly #events: AsyncGenerator<BaseBackupEvent, void, undefined>;
  readonly #onProgress: (done: number, total: number | undefined) => void;
  #ahead: BaseBackupEvent | undefined;
  #total: number | undefined;

  constructor(events: AsyncGenerator<BaseBackupEvent, void, undefined>, onProgress: (done: number, total: number | undefined) => void) {
    this.#events = events;
    this.#onProgress = onProgress;
  }

  /** The server's estimate of all bytes; undefined before `start` and where it gave none. */
  get total(): number | undefined {
    return this.#total;
  }

  async start(): Promise<EventOf<"start">> {
    const start = await this.#require("start");
    const estimates = start.tablespaces.map(({ estimatedBytes }) => estimatedBytes);
    this.#total = estimates.includes(undefined) ? undefined : estimates.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0);
    return start;
  }

  async nextArchive(): Promise<ArchiveStream | undefined> {
    const event = await this.#next();
    if (event?.type === "archive") return { oid: event.oid, location: event.location, data: this.#data() };
    this.#ahead = event;
    return undefined;
  }

  async manifest(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      const event = await this.#next();
      if (event?.type === "manifest") chunks.push(event.chunk);
      else {
        this.#ahead = event;
        return Buffer.concat(chunks);
      }
    }
  }

  async end(): Promise<EventOf<"end">> {
    return this.#require("end");
  }

  /** Cancels the backup in the server unless it has ended. */
  async close(): Promise<void> {
    await this.#events.return();
  }

  async *#data(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const event = await this.#next();
      if (event?.type === "archive-end") return;
      if (event?.type !== "data") throw unexpected("data of an archive", event);
      yield event.chunk;
    }
  }

  async #require<T extends BaseBackupEvent["type"]>(type: T): Promise<EventOf<T>> {
    const event = await this.#next();
    if (event?.type === type) return event as EventOf<T>;
    throw unexpected(type, event);
  }

  async #next(): Promise<BaseBackupEvent | undefined> {
    const event = this.#ahead ?? (await this.#read());
    this.#ahead = undefined;
    return event;
  }

  /** Progress may come between any two others and concerns nobody but the display. */
  async #read(): Promise<BaseBackupEvent | undefined> {
    for (;;) {
      const { value } = await this.#events.next();
      if (value?.type !== "progress") return value ?? undefined;
      this.#onProgress(value.done, this.#total);
    }
  }
}

function unexpected(wanted: string, event: BaseBackupEvent | undefined): SoarError {
  return new SoarError("BACKUP_INCOMPLETE", `unable to read the base backup: ${wanted} was expected, the server sent ${event?.type ?? "nothing more"}`, {
    hint: "Take the backup again; if it repeats, report the server's version.",
  });
}
