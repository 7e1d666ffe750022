import { hasErrorCode } from "@soar/errors";
import type { CallOptions, ObjectStore } from "@soar/storage";
import * as v from "valibot";
import { findRecord, FORMAT_VERSION, formatRecord, instantText } from "../records/json-record.ts";
import { BACKUP_OBJECTS, backupKey, gapKey, GAP_PREFIX, leaseKey, LEASE_PREFIX } from "../records/keys.ts";
import { listRecords } from "../records/list-records.ts";

const format = v.literal(FORMAT_VERSION);

const startedSchema = v.object({
  format,
  label: v.string(),
  host: v.string(),
  processId: v.number(),
  /** What makes the id name one process of one machine, and of one container there; records of versions before have none. */
  process: v.optional(
    v.object({ machine: v.optional(v.string()), boot: v.string(), namespace: v.string(), start: v.string() }),
  ),
  startedAt: instantText,
  /** After this moment the run counts as dead and what it left may be removed. */
  deadline: instantText,
  /** Labels that the running backup may refer to: expiry leaves them alone. */
  references: v.array(v.string()),
  /** The primary's backup lock says nothing of this run. */
  fromStandby: v.optional(v.boolean()),
});

/** `base/<label>/started.json`: written first, so that no two runs share a label and expiry respects a running backup. */
export type StartedRecord = v.InferOutput<typeof startedSchema>;

const keepSchema = v.object({ format, reason: v.string(), keptAt: instantText });

/** `base/<label>/keep.json`: the operator pinned this backup. */
export type KeepRecord = v.InferOutput<typeof keepSchema>;

const leaseSchema = v.object({
  format,
  id: v.string(),
  purpose: v.picklist(["restore", "verify", "drill"]),
  host: v.string(),
  labels: v.array(v.string()),
  /** First and last segment that is being read, if any. */
  walFrom: v.optional(v.string()),
  walTo: v.optional(v.string()),
  startedAt: instantText,
  /** The lease lapses here by itself. */
  expiresAt: instantText,
});

/** `config/leases/<id>.json`: somebody reads these objects; expiry leaves them alone until the lease lapses. */
export type LeaseRecord = v.InferOutput<typeof leaseSchema>;

/** Also of a copy that somebody keeps on this machine. */
export const gapSchema = v.object({
  format,
  /** First and last segment that was given up, on one timeline. */
  from: v.string(),
  to: v.string(),
  declaredBy: v.string(),
  declaredAt: instantText,
  reason: v.string(),
});

/** `config/gaps/<from>-<to>.json`: WAL that was given up on purpose. */
export type GapRecord = v.InferOutput<typeof gapSchema>;

/** Writes `started.json`. Gives false when the label is taken by another run. */
export async function claimLabel(
  store: ObjectStore,
  record: StartedRecord,
  options: CallOptions = {},
): Promise<boolean> {
  try {
    await store.put(backupKey(record.label, BACKUP_OBJECTS.started), formatRecord(record), {
      ifAbsent: true,
      signal: options.signal,
    });
    return true;
  } catch (error) {
    if (!hasErrorCode(error, "OBJECT_EXISTS")) throw error;
    // Either somebody else's, or our own whose reply was lost: host, process and moment tell.
    const found = await findStarted(store, record.label, options);
    return (
      found !== undefined &&
      found.host === record.host &&
      found.processId === record.processId &&
      found.startedAt === record.startedAt
    );
  }
}

export async function findStarted(
  store: ObjectStore,
  label: string,
  options: CallOptions = {},
): Promise<StartedRecord | undefined> {
  return findRecord(store, backupKey(label, BACKUP_OBJECTS.started), startedSchema, options);
}

export async function putKeep(
  store: ObjectStore,
  label: string,
  record: KeepRecord,
  options: CallOptions = {},
): Promise<void> {
  await store.put(backupKey(label, BACKUP_OBJECTS.keep), formatRecord(record), {
    ifAbsent: true,
    signal: options.signal,
  });
}

export async function putLease(store: ObjectStore, record: LeaseRecord, options: CallOptions = {}): Promise<void> {
  await store.put(leaseKey(record.id), formatRecord(record), { ifAbsent: true, signal: options.signal });
}

export async function listLeases(store: ObjectStore, options: CallOptions = {}): Promise<LeaseRecord[]> {
  return listRecords(store, LEASE_PREFIX, leaseSchema, options);
}

export async function putGap(store: ObjectStore, record: GapRecord, options: CallOptions = {}): Promise<void> {
  await store.put(gapKey(record.from, record.to), formatRecord(record), { ifAbsent: true, signal: options.signal });
}

export async function listGaps(store: ObjectStore, options: CallOptions = {}): Promise<GapRecord[]> {
  return listRecords(store, GAP_PREFIX, gapSchema, options);
}

export async function findGap(
  store: ObjectStore,
  gap: Pick<GapRecord, "from" | "to">,
  options: CallOptions = {},
): Promise<GapRecord | undefined> {
  return findRecord(store, gapKey(gap.from, gap.to), gapSchema, options);
}
