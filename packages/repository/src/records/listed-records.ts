import { SoarError } from "@soar/errors";
import { sha256Hex } from "./digest.ts";
import type { BackupRecord } from "./backup-record.ts";

/**
 * Bytes that the records of all backups may have that a listing keeps, as dense JSON: what somebody else has put into a bucket must
 * not fill the memory of whoever lists it. In memory they take some four times as much, and while a large one is read many times.
 * A backup of some hundred gigabytes has 10 KiB, one of 10 TB 45: backups every hour for 30 days have room.
 */
const LARGEST_SMALL_BYTES = 64 * 1024;
const ROOM_OF_SMALL_BYTES = 40 * 1024 * 1024;
const ROOM_OF_LARGE_BYTES = 8 * 1024 * 1024;

/** Hardly differ from one backup of a cluster to the next, and are what is long where a cluster has many databases. */
const ALIKE = ["databases", "tablespaces", "subscriptions", "settings"] as const;
/** Shorter ones are not worth looking for. */
const SHORTEST_SHARED_BYTES = 1024;

/** The records that a listing has read so far. What is equal in them is kept once. */
export class ListedRecords {
  readonly #known = new Map<string, unknown>();
  readonly #bytes = { small: 0, large: 0 };

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
    const [kind, room] =
      bytes <= LARGEST_SMALL_BYTES
        ? (["small", ROOM_OF_SMALL_BYTES] as const)
        : (["large", ROOM_OF_LARGE_BYTES] as const);
    if (this.#bytes[kind] + bytes > room) throw tooMuch(where, { bytes, room });
    this.#bytes[kind] += bytes;
    for (const [digest, value] of found) this.#known.set(digest, value);
    return { ...record, ...shared };
  }
}

function tooMuch(where: string, { bytes, room }: { readonly bytes: number; readonly room: number }): SoarError {
  return new SoarError(
    "REPOSITORY_DAMAGED",
    `unable to read '${where}': its ${bytes} bytes are too many beside the smaller records, and all of its size have no more than ${room}`,
    {
      hint: "No version of these tools wrote so much for one cluster: look at who may write to the bucket, and use another backup.",
    },
  );
}
