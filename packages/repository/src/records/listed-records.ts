import { SoarError } from "@soar/errors";
import { sha256Hex } from "./digest.ts";
import type { BackupRecord } from "./backup-record.ts";

/**
 * Bytes that the records of all backups may have that a listing keeps, as dense JSON: what somebody else has put into a bucket must
 * not fill the memory of whoever lists it. In memory they take many times as much while they are read. One backup of some hundred gigabytes has 10 KiB.
 */
const LARGEST_LISTING_BYTES = 8 * 1024 * 1024;

/** Hardly differ from one backup of a cluster to the next, and are what is long where a cluster has many databases. */
const ALIKE = ["databases", "tablespaces", "subscriptions", "settings"] as const;
/** Shorter ones are not worth looking for. */
const SHORTEST_SHARED_BYTES = 1024;

/** The records that a listing has read so far. What is equal in them is kept once. */
export class ListedRecords {
  readonly #known = new Map<string, unknown>();
  #bytes = 0;

  /** The same record, to be kept. Throws `REPOSITORY_DAMAGED` where there is no room for it beside the others. */
  keep(record: BackupRecord, where: string): BackupRecord {
    const own: Record<string, unknown> = { ...record };
    const shared: Record<string, unknown> = {};
    const found = new Map<string, unknown>();
    for (const field of ALIKE) {
      const text = JSON.stringify(record[field] ?? null);
      if (text.length < SHORTEST_SHARED_BYTES) continue;
      const digest = sha256Hex(Buffer.from(text));
      if (this.#known.has(digest)) {
        shared[field] = this.#known.get(digest);
        delete own[field];
      } else found.set(digest, record[field]);
    }
    const bytes = JSON.stringify(own).length;
    if (this.#bytes + bytes > LARGEST_LISTING_BYTES) throw tooMuch(where, bytes);
    this.#bytes += bytes;
    for (const [digest, value] of found) this.#known.set(digest, value);
    return { ...record, ...shared };
  }
}

function tooMuch(where: string, bytes: number): SoarError {
  return new SoarError(
    "REPOSITORY_DAMAGED",
    `unable to read '${where}': its ${bytes} bytes are too many beside the smaller records, and all of a repository have no more than ${LARGEST_LISTING_BYTES}`,
    {
      hint: "No version of these tools wrote so much for one cluster: look at who may write to the bucket, and use another backup.",
    },
  );
}
