import type { ConditionalPut, LearnedHabit, RecalledHabits, ServerHabits } from "./server-habits.ts";

/**
 * A flat, strongly consistent key space of immutable objects. Every implementation and every wrapper passes
 * `testObjectStore` from `@soar/storage/testing`; that suite, not this comment, is the definition of correct.
 *
 * Keys are relative, at most 1,024 bytes of UTF-8 with at most 255 between two slashes, and ordered by their UTF-8
 * bytes. A key with a leading, trailing or double slash, with `.` or `..` as a segment, or with a control character is
 * refused with `STORE_UNSUPPORTED`, because some store could not hold it. A store may refuse the same way a key that is
 * the "directory" of another one (`a` beside `a/b`): a file system cannot hold both. All failures are `SoarError`s with
 * the codes named here, or `STORE_UNREACHABLE`, `STORE_BUSY`, `STORE_DENIED`, `STORE_QUOTA`,
 * `STORE_PROTOCOL`, `BUCKET_MISSING`, `CLOCK_SKEWED`, or `ABORTED` when the caller's signal fired.
 */
export interface ObjectStore {
  /** For messages, for example `s3://soar-backup-prod/cluster1`. Never holds credentials. */
  readonly location: string;
  readonly features: StoreFeatures;

  /**
   * Stores all of the body in one request, or nothing. With `ifAbsent`, rejects with `OBJECT_EXISTS` when the key is
   * taken. The body is a Buffer so that a retry can send it again; larger objects go through `beginMultipart`
   * (or, more comfortably, through `uploadStream`).
   *
   * `OBJECT_EXISTS` may mean this very call: when the store's answer was lost and the call was repeated by `withRetry`,
   * the key is taken by the first attempt. Callers compare what is there with what they wanted to store.
   */
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<StoredObject>;

  /** Begins an upload in parts. Nothing is visible under the key before `complete`. */
  beginMultipart(key: string, options: MultipartOptions): Promise<MultipartUpload>;

  /**
   * Opens an object, or a range of it, for reading. Rejects with `OBJECT_MISSING`, `OBJECT_ARCHIVED`, or
   * `STORE_PROTOCOL` for a range that starts behind the end. The body rejects with `OBJECT_SHORT` when it ends early;
   * it never ends quietly before `length` bytes. It is read once, with `for await`; a body that nobody will read is
   * given up by aborting `signal`, else it may keep a connection.
   */
  get(key: string, options?: GetOptions): Promise<ObjectBody>;

  /** The object's facts, or undefined when it is not there. "Not allowed to see it" is `STORE_DENIED`, never undefined. */
  stat(key: string, options?: CallOptions): Promise<StoredObject | undefined>;

  /**
   * Yields every object whose key starts with `prefix` and is greater than `startAfter`, in ascending byte order, page
   * by page. The end of the iteration means the end of the listing: a truncated or inconsistent page rejects with
   * `STORE_PROTOCOL`.
   */
  list(prefix: string, options?: ListOptions): AsyncIterable<StoredObject>;

  /**
   * Removes objects. A key that is not there counts as removed, because a retried removal cannot tell the two apart.
   * Rejects when any key could not be removed and names it (`OBJECT_LOCKED` for Object Lock, else `STORE_DENIED`).
   */
  remove(keys: readonly string[], options?: CallOptions): Promise<void>;

  /** Uploads in parts under `prefix` that were begun and neither completed nor aborted, by key. Running ones are among them. */
  listUploads(prefix: string, options?: CallOptions): Promise<UnfinishedUpload[]>;

  /** Aborts uploads in parts under `prefix` that were begun before `before` and never completed; returns their keys. */
  abortStaleUploads(prefix: string, before: Date, options?: CallOptions): Promise<string[]>;

  /** Closes connections. Nothing else may be called afterwards. */
  close(): Promise<void>;
}

/** What the store itself can promise. Callers branch on these, never on a provider's name. */
export interface StoreFeatures {
  /**
   * What the server does with "only if absent" of `put`: decides it (`honoured`), says that it cannot (`refused`), takes
   * no notice of it (`ignored`), or nobody has tried yet (`unknown`). Anything but `honoured` makes `ifAbsent` a check
   * before and a comparison after, which prevents no concurrent writers, and detects them unless one has looked before the
   * other wrote and writes after it has looked again. Where uploads of one part were found to work objects are put that way.
   */
  readonly conditionalPut: ConditionalPut;
  /**
   * Whether it decides at the very moment at which the object appears, so that of two puts that overlap one is refused
   * (`yes`), or earlier (`no`). Anything but `yes` adds a comparison after the put.
   */
  readonly atomicPut: ServerHabits["atomicPut"];
  /**
   * The same as `conditionalPut` for an upload in parts, at `complete`: some servers honour the one and overlook the other.
   * Without it each of two writers ends the other's upload between two looks: one at most succeeds.
   */
  readonly conditionalComplete: ConditionalPut;
  /** Who answers: host and port of the endpoint. What was found out about one server need not be true of another. Undefined for a store on this machine. */
  readonly server: string | undefined;
  /** What the server's clock shows now, by the newest of its answers, to the accuracy of a second; undefined before the first, and for a store on this machine. */
  readonly clock: () => Date | undefined;
  /** The proxy on the way there, without its credentials; undefined where there is none. */
  readonly proxy: string | undefined;
  /** What was found out about this server since the store was opened. Empty for a store on this machine. */
  readonly learned: readonly LearnedHabit[];
  /** Tells what this very `server` was found to do at an earlier time; believed as long as nothing else is known. */
  readonly recall: (habits: RecalledHabits) => void;
  /** Tells how many parts it was found to take just now, which counts more than what is recalled. */
  readonly learnMaxParts: (maxParts: number) => void;
  /**
   * Whether the server's own listings are in the order of keys (`keys`), in another one (`other`), or nobody has seen
   * (`unknown`): then they are read to their end and sorted before the first key is given.
   */
  readonly listingOrder: ServerHabits["listingOrder"];
  /** Largest number of parts of one upload. */
  readonly maxParts: number;
  /** Whether that is documented, configured or was found out by this process: what is recalled may have changed since. See `proveMaxParts`. */
  readonly isMaxPartsProved: boolean;
  /** Smallest size of a part that is not the last, in bytes. */
  readonly minPartSize: number;
  /** Largest size of a part, in bytes. */
  readonly maxPartSize: number;
}

export interface StoredObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly modifiedAt: Date;
  /** The provider's opaque version mark, without quotes; undefined where a listing does not give it. */
  readonly etag: string | undefined;
  /** For example STANDARD or GLACIER; undefined where the store has none. */
  readonly storageClass: string | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface PutOptions extends CallOptions {
  /**
   * Refuse with `OBJECT_EXISTS` when the key is taken. `"by-server"` leaves that to the server alone, without the check
   * before and the comparison after that a store adds whose `conditionalPut` is not `honoured`, and rejects with
   * `STORE_UNSUPPORTED` when the server refuses to decide: it is how `probeConditionalPut` finds out.
   */
  readonly ifAbsent?: boolean | "by-server" | undefined;
  /**
   * Of `put`: awaited when the store has begun to take the body, and before it has all of it; once more when the put is
   * repeated. It is how `probeServer` lets two puts overlap. A store that cannot tell never calls it.
   */
  readonly whenBegun?: (() => Promise<void>) | undefined;
}

export interface ListOptions extends CallOptions {
  /** Only keys after this one. */
  readonly startAfter?: string | undefined;
  /** Most objects that are asked for at once; at most 1,000, which it is unless told. Changes nothing of the result. */
  readonly pageSize?: number | undefined;
}

export interface GetOptions extends CallOptions {
  /** Part of the object. A suffix longer than the object gives the whole object. */
  readonly range?: ByteRange | undefined;
  /** The reader wants all of it in memory: chunks may be as large as the body. See `readObject`. */
  readonly whole?: boolean | undefined;
}

export type ByteRange = { readonly offset: number; readonly length?: number | undefined } | { readonly suffix: number };

/** An opened object. The chunks belong to the reader: they are not views on a buffer that is reused. */
export interface ObjectBody extends AsyncIterable<Uint8Array> {
  /** The whole object's facts, also for a range. */
  readonly object: StoredObject;
  /** Where the body starts in the object. */
  readonly offset: number;
  /** Exactly how many bytes the body will yield. */
  readonly length: number;
}

export interface MultipartOptions extends PutOptions {
  /** Every part but the last has exactly this size, in bytes. See `partSizeFor`. */
  readonly partSize: number;
}

/** An upload whose parts are stored, and billed, without being visible under the key. */
export interface UnfinishedUpload {
  readonly key: string;
  readonly begunAt: Date;
}

export interface MultipartUpload {
  readonly key: string;
  readonly partSize: number;
  /** Uploads one part, numbered from 1; may be called for several at once, and again for one that failed. */
  putPart(partNumber: number, body: Uint8Array, options?: CallOptions): Promise<void>;
  /**
   * Makes the object visible and checks its size. Rejects with `OBJECT_EXISTS` under `ifAbsent`, and with
   * `STORE_PROTOCOL` when parts are missing or the result has another size.
   */
  complete(options?: CallOptions): Promise<StoredObject>;
  /** Gives the parts back. Safe to call twice and after a failure. */
  abort(options?: CallOptions): Promise<void>;
}
