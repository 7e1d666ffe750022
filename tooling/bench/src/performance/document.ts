import * as v from "valibot";

/** Tools that are measured side by side. */
export const TOOLS = ["soar", "pgbackrest", "wal-g", "barman", "pg_basebackup"] as const;
export type ToolName = (typeof TOOLS)[number];

/** What is done with a cluster, and what with its WAL. */
export const WORKS = [
  "full-zstd",
  "full-gzip",
  "incremental",
  "restore",
  "delta",
  "verify-stored",
  "verify-full",
  "drain",
  "archive-call",
  "replay",
] as const;
export type Work = (typeof WORKS)[number];

/** A part of a work by itself: nothing that does this part is faster on the same machine. */
export const LIMITS = [
  "read",
  "copy",
  "disk",
  "hash",
  "zstd",
  "unzstd",
  "gzip",
  "put",
  "get",
  "walsender",
  "copy-segments",
  "zstd-segments",
  "replay-copy",
] as const;
export type Limit = (typeof LIMITS)[number];

const count = v.pipe(v.number(), v.finite(), v.minValue(0));

const measured = {
  /** Nominal size of the database; 0 for what is done with WAL alone. */
  gigabytes: count,
  /** The run in the middle, by time. */
  seconds: count,
  fastest: count,
  slowest: count,
  /** Bytes of the cluster's files, or segments, or calls. */
  amount: count,
};

const row = v.object({
  work: v.picklist(WORKS),
  tool: v.picklist(TOOLS),
  ...measured,
  /** Bytes that came into the repository. */
  stored: v.optional(count),
  /** Most memory of the tool's processes together, in bytes, the server's not counted. */
  peak: v.optional(count),
  /** Requests to the store, and parts of uploads among them. */
  requests: v.optional(count),
  parts: v.optional(count),
});

const limit = v.object({ limit: v.picklist(LIMITS), ...measured, stored: v.optional(count) });

export const syntheticBackup = v.object({
  /** Size that the upload was told to expect, and how much of it really ran. */
  gigabytes: count,
  ran: count,
  seconds: count,
  peak: count,
  partSize: count,
  partsAtOnce: count,
  parts: count,
  objects: count,
  table: count,
  members: count,
});

export const syntheticRestore = v.object({
  gigabytes: count,
  members: count,
  table: count,
  /** Of planning: the record, the WAL, the target. */
  planSeconds: count,
  planRequests: count,
  /** Of reading the seek table whole. */
  indexSeconds: count,
  indexRequests: count,
  indexPeak: count,
  /** How much was fetched of it, stored bytes, and in which time. */
  fetched: count,
  fetchSeconds: count,
  fetchRequests: count,
  peak: count,
});

const schema = v.object({
  format: v.literal(1),
  measured: v.object({
    at: v.string(),
    commit: v.string(),
    machine: v.string(),
    cores: count,
    memory: count,
    node: v.string(),
    postgres: v.string(),
    /** Load of the machine over a minute, before and after. */
    loadBefore: count,
    loadAfter: count,
    runs: count,
    jobs: count,
  }),
  /** Versions; null for what was not installed. A tool that is missing here was not asked for. */
  tools: v.record(v.picklist(TOOLS), v.nullable(v.string())),
  rows: v.array(row),
  limits: v.array(limit),
  backups: v.array(syntheticBackup),
  restores: v.array(syntheticRestore),
  /** Listing so many keys of WAL, page by page. */
  listing: v.optional(v.object({ keys: count, seconds: count, requests: count })),
});

/** What one run of the bench has measured, and nothing that was computed from it. */
export type PerformanceDocument = v.InferOutput<typeof schema>;
export type Row = v.InferOutput<typeof row>;
export type LimitRow = v.InferOutput<typeof limit>;
export type SyntheticBackup = v.InferOutput<typeof syntheticBackup>;
export type SyntheticRestore = v.InferOutput<typeof syntheticRestore>;

/** Throws a ValiError for anything but a document of this format. */
export function parseDocument(text: string): PerformanceDocument {
  return v.parse(schema, JSON.parse(text));
}

export function formatDocument(document: PerformanceDocument): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
