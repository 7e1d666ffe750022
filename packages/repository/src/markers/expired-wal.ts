import type { CallOptions, ObjectStore } from "@soar/storage";
import * as v from "valibot";
import { FORMAT_VERSION, formatRecord, instantText } from "../records/json-record.ts";
import { EXPIRED_PREFIX, expiredKey } from "../records/keys.ts";
import { listRecords } from "../records/list-records.ts";

const segmentName = v.pipe(v.string(), v.regex(/^[0-9A-F]{24}$/));

const schema = v.object({
  format: v.literal(FORMAT_VERSION),
  id: v.string(),
  expiredAt: instantText,
  /** What was older than this was removed, as far as nothing needed it. */
  windowStart: instantText,
  /** First and last segment of each stretch, on one timeline. */
  ranges: v.array(v.object({ from: segmentName, to: segmentName })),
});

/**
 * `config/expired/<id>.json`: the WAL that expiry removed, or was about to. Written before the first removal, so that a
 * segment which is not there and in no such record is lost, and one that is in it was not needed. Each expiry writes one that
 * holds what the older ones said, and removes those.
 */
export type ExpiredWal = v.InferOutput<typeof schema>;

export async function putExpiredWal(store: ObjectStore, record: ExpiredWal, options: CallOptions = {}): Promise<void> {
  await store.put(expiredKey(record.id), formatRecord(record), { ifAbsent: true, signal: options.signal });
}

/** All of them; more than one while an expiry runs or after one was interrupted. */
export async function listExpiredWal(store: ObjectStore, options: CallOptions = {}): Promise<ExpiredWal[]> {
  return listRecords(store, EXPIRED_PREFIX, schema, options);
}
