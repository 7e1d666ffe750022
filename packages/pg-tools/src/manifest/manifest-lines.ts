import { SoarError } from "@soar/errors";
import { parseLsn } from "../wal-names/lsn.ts";
import type { ManifestFile, ManifestWalRange } from "./backup-manifest.ts";
import { CHECKSUM_ALGORITHMS, CHECKSUM_SIZES, type ChecksumAlgorithm } from "./checksum-algorithm.ts";

/** Reads the JSON object of one file. Throws FORMAT_INVALID. */
export function parseFileLine(line: string): ManifestFile {
  const {
    Path,
    "Encoded-Path": encodedPath,
    Size,
    "Last-Modified": lastModified,
    "Checksum-Algorithm": algorithm,
    Checksum,
    ...unknown
  } = fieldsOf(line);
  const modified = typeof lastModified === "string" ? new Date(lastModified) : new Date(Number.NaN);
  if (!isSize(Size) || Number.isNaN(modified.getTime()) || Object.keys(unknown).length > 0) throw invalidLine(line);
  return {
    ...pathOf(Path, encodedPath, line),
    size: Size,
    lastModified: modified,
    checksum: checksumOf(algorithm, Checksum, line),
  };
}

/** Reads the JSON object of one range of WAL. Throws FORMAT_INVALID. */
export function parseWalRangeLine(line: string): ManifestWalRange {
  const { Timeline, "Start-LSN": start, "End-LSN": end, ...unknown } = fieldsOf(line);
  if (!isSize(Timeline) || typeof start !== "string" || typeof end !== "string" || Object.keys(unknown).length > 0)
    throw invalidLine(line);
  return { timeline: Timeline, startLsn: parseLsn(start), endLsn: parseLsn(end) };
}

function fieldsOf(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line.endsWith(",") ? line.slice(0, -1) : line);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch (cause) {
    throw invalidLine(line, cause);
  }
  throw invalidLine(line);
}

/** Exactly one of the two forms is there (`json_manifest_finalize_file` in parse_manifest.c). */
function pathOf(path: unknown, encodedPath: unknown, line: string): Pick<ManifestFile, "path" | "pathBytes"> {
  if (typeof path === "string" && encodedPath === undefined) return { path, pathBytes: undefined };
  if (path !== undefined || typeof encodedPath !== "string" || !isHex(encodedPath)) throw invalidLine(line);
  const bytes = Buffer.from(encodedPath, "hex");
  const decoded = bytes.toString("utf8");
  // --manifest-force-encode also encodes names that are ordinary text.
  return { path: decoded, pathBytes: Buffer.from(decoded, "utf8").equals(bytes) ? undefined : bytes };
}

function checksumOf(algorithm: unknown, value: unknown, line: string): ManifestFile["checksum"] {
  if (algorithm === undefined && value === undefined) return undefined;
  const known = CHECKSUM_ALGORITHMS.find((one): one is ChecksumAlgorithm => one === algorithm);
  if (known === undefined || typeof value !== "string" || !isHex(value) || value.length !== CHECKSUM_SIZES[known] * 2)
    throw invalidLine(line);
  return { algorithm: known, value: value.toLowerCase() };
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isHex(text: string): boolean {
  return /^(?:[0-9a-fA-F]{2})+$/.test(text);
}

export function invalidLine(line: string, cause?: unknown): SoarError {
  return invalidManifest(`the line '${line.slice(0, 200)}' is not one that PostgreSQL writes there`, cause);
}

export function invalidManifest(fact: string, cause?: unknown): SoarError {
  return new SoarError("FORMAT_INVALID", `unable to read the backup manifest: ${fact}`, {
    cause,
    hint: "The manifest was damaged or cut off; take it from the backup again.",
  });
}
