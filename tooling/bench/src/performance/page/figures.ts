import {
  type Limit,
  type LimitRow,
  type PerformanceDocument,
  type Row,
  type ToolName,
  type Work,
} from "../document.ts";

/** What stands where nothing was measured. */
export const NOT_MEASURED = "not measured";

export const WORK_TITLES: Readonly<Record<Work, string>> = {
  "full-zstd": "Full backup, zstd 3",
  "full-gzip": "Full backup, gzip",
  incremental: "Incremental, about 2 % of rows changed",
  restore: "Restore",
  delta: "Delta restore, ten damaged files",
  "verify-stored": "Verify what is stored",
  "verify-full": "Verify in full",
  drain: "Drain a backlog of WAL",
  "archive-call": "One archive_command alone",
  replay: "Replay",
};

export const TOOL_TITLES: Readonly<Record<ToolName, string>> = {
  soar: "Soar",
  pgbackrest: "pgBackRest",
  "wal-g": "WAL-G",
  barman: "Barman",
  pg_basebackup: "pg_basebackup",
};

const LIMIT_TITLES: Readonly<Record<Limit, string>> = {
  read: "reading the files",
  walsender: "pg_basebackup to nowhere",
  copy: "cp",
  disk: "disk, dd with fsync",
  hash: "SHA-256 alone",
  zstd: "zstd -3 alone",
  unzstd: "zstd -d alone, one thread",
  gzip: "gzip -6 alone",
  put: "PUT alone",
  get: "GET alone",
  "copy-segments": "archive_command = cp",
  "zstd-segments": "zstd -1 alone",
  "replay-copy": "restore_command = cp",
};

/** Of the parts that a work is made of, those that were measured by themselves. */
const LIMITS_OF: Readonly<Record<Work, readonly Limit[]>> = {
  "full-zstd": ["read", "hash", "zstd", "put"],
  "full-gzip": ["read", "hash", "gzip", "put"],
  incremental: ["read", "hash"],
  restore: ["get", "unzstd", "hash", "copy", "disk"],
  delta: ["read", "hash"],
  "verify-stored": ["get", "hash"],
  "verify-full": ["get", "unzstd", "hash"],
  drain: ["copy-segments", "zstd-segments"],
  "archive-call": [],
  replay: ["replay-copy"],
};

/**
 * Parts that no tool can leave out, each measured on all cores: their times one after the other are what the work takes where nothing
 * else is done and nothing overlaps. zstd and gzip read the files; what decompresses alone does so with one thread.
 */
const PARTS_OF: Readonly<Partial<Record<Work, readonly Limit[]>>> = {
  "full-zstd": ["zstd", "hash", "put"],
  "full-gzip": ["gzip", "hash", "put"],
  restore: ["get", "unzstd", "hash", "copy"],
  delta: ["hash"],
  "verify-stored": ["get", "hash"],
  "verify-full": ["get", "unzstd", "hash"],
};
const OF_ONE_THREAD: ReadonlySet<Limit> = new Set(["unzstd"]);

/** Limits of bytes that are stored, not of the cluster's: a backup sends, and a restore fetches, only so many. */
const OF_STORED: ReadonlySet<Limit> = new Set(["put", "get"]);

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
export const seconds = (value: number): string => (value < 10 ? `${value.toFixed(2)} s` : `${value.toFixed(0)} s`);
export const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(0)} %`;
export const ratio = (value: number): string => value.toFixed(2);
export const whole = (value: number): string => Math.round(value).toLocaleString("en-US");

/** 420 GB, 10 TB. */
export const size = (gigabytes: number): string => (gigabytes < 1000 ? `${gigabytes} GB` : `${gigabytes / 1000} TB`);

/** Hours, and minutes where it is less than one. */
export function duration(value: number): string {
  if (value < 60) return `${value.toFixed(1)} s`;
  return value < 3600 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`;
}

const isBytes = (work: Work): boolean => work !== "drain" && work !== "replay" && work !== "archive-call";

/** How fast, in the unit of the work: bytes, segments, or calls. */
export function rate({ work, amount, seconds: taken }: Pick<Row, "work" | "amount" | "seconds">): string {
  if (work === "archive-call") return `${(taken * 1000).toFixed(0)} ms`;
  return isBytes(work) ? `${(amount / 1e6 / taken).toFixed(0)} MB/s` : `${(amount / taken).toFixed(1)}/s`;
}

/** More is better, also where milliseconds are shown. */
export const speed = ({ amount, seconds: taken }: Pick<Row, "amount" | "seconds">): number => amount / taken;

export function findRow(
  { rows }: PerformanceDocument,
  wanted: { readonly work: Work; readonly tool: ToolName; readonly gigabytes: number },
): Row | undefined {
  return rows.find(
    ({ work, tool, gigabytes }) => work === wanted.work && tool === wanted.tool && gigabytes === wanted.gigabytes,
  );
}

export interface LimitShown {
  readonly title: string;
  readonly rate: string;
  /** How much of the limit the work reaches. */
  readonly reached: number;
}

/** The limits of a row from the same run, tightest first. */
export function limitsOf({ limits }: PerformanceDocument, row: Row, ratioStored: number): LimitShown[] {
  const found = LIMITS_OF[row.work].flatMap((name) =>
    limits.filter((one) => one.limit === name && one.gigabytes === row.gigabytes),
  );
  return found
    .map((one) => {
      const isOfStored = OF_STORED.has(one.limit) || row.work === "verify-stored";
      const cap = speed(one) / (isOfStored ? ratioStored : 1);
      return { title: LIMIT_TITLES[one.limit], rate: limitRate(one, row.work), reached: speed(row) / cap };
    })
    .sort((left, right) => right.reached - left.reached);
}

/** Seconds of the parts of a row one after the other, from the same run; undefined where one of them was not measured. */
export function partsInTurn(
  { limits, measured: { jobs } }: PerformanceDocument,
  row: Row,
  ratioStored: number,
): number | undefined {
  let sum = 0;
  for (const name of PARTS_OF[row.work] ?? []) {
    const part = limits.find((one) => one.limit === name && one.gigabytes === row.gigabytes);
    if (part === undefined) return undefined;
    const isOfStored = OF_STORED.has(name) || row.work === "verify-stored";
    sum +=
      (row.amount * (isOfStored ? ratioStored : 1)) / speed(part) / (OF_ONE_THREAD.has(name) ? Math.max(jobs, 1) : 1);
  }
  return sum === 0 ? undefined : sum;
}

function limitRate({ amount, seconds: taken }: LimitRow, work: Work): string {
  return isBytes(work) ? `${(amount / 1e6 / taken).toFixed(0)} MB/s` : `${(amount / taken).toFixed(1)}/s`;
}

/** Stored bytes for each byte of the cluster, of the newest full backup of this size; 1 where none was measured. */
export function storedRatio(document: PerformanceDocument, gigabytes: number): number {
  const full = findRow(document, { work: "full-zstd", tool: "soar", gigabytes });
  return full?.stored === undefined || full.amount === 0 ? 1 : full.stored / full.amount;
}

export const measuredSizes = ({ rows }: PerformanceDocument): number[] =>
  [...new Set(rows.map(({ gigabytes }) => gigabytes).filter((gigabytes) => gigabytes > 0))].sort((a, b) => a - b);

/** A table of Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
