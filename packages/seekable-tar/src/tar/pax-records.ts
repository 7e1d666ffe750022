import { Pax } from "tar/pax";
import { invalid } from "../codec/damage.ts";
import { decodeName } from "./entry-name.ts";

/** What pax records say about the entries that follow. Only fields that were given are set. */
export interface PaxFields {
  path?: string;
  linkpath?: string;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: Date;
}

const WHAT = "a pax header";
const NEWLINE = 0x0a;
const SPACE = 0x20;

/**
 * Parses the body of a pax header on top of the fields of an earlier one. `Pax.parse` splits by lines and silently
 * leaves out what does not fit, for example a path with a line feed in it; so the records are cut here by their own
 * lengths, and it sees them one by one. Throws `FORMAT_INVALID`.
 */
export function parsePaxRecords(body: Buffer, earlier: PaxFields): PaxFields {
  const fields: PaxFields = { ...earlier };
  for (let at = 0; at < body.length;) {
    const record = cutRecord(body, at);
    at += record.length;
    applyRecord(fields, record);
  }
  return fields;
}

function cutRecord(body: Buffer, at: number): Buffer {
  const space = body.indexOf(SPACE, at);
  const digits = space < 0 ? "" : body.toString("latin1", at, space);
  const length = /^[1-9][0-9]{0,8}$/.test(digits) ? Number(digits) : 0;
  const record = body.subarray(at, at + length);
  if (length <= digits.length + 2 || record.length !== length || record.at(-1) !== NEWLINE)
    throw invalid(WHAT, `no record begins at byte ${at}`);
  return record;
}

function applyRecord(fields: PaxFields, record: Buffer): void {
  const content = record.subarray(record.indexOf(SPACE) + 1, -1);
  const equals = content.indexOf("=");
  if (equals <= 0) throw invalid(WHAT, "a record has no key");
  const key = content.toString("latin1", 0, equals);
  const value = content.subarray(equals + 1);
  if (key.startsWith("GNU.sparse.")) throw invalid(WHAT, "sparse files are not supported");
  // An empty value takes back what an earlier header said.
  if (value.length === 0) removeField(fields, key);
  else if (key === "path" || key === "linkpath") fields[key] = decodeName(value);
  else applyNumber(fields, record.toString("utf8"), key);
}

function removeField(fields: PaxFields, key: string): void {
  if (key === "path" || key === "linkpath" || key === "size" || key === "uid" || key === "gid" || key === "mtime")
    delete fields[key];
}

function applyNumber(fields: PaxFields, record: string, key: string): void {
  const { size, uid, gid, mtime } = Pax.parse(record);
  if (key === "size") fields.size = requireWhole(size, key);
  else if (key === "uid") fields.uid = requireWhole(uid, key);
  else if (key === "gid") fields.gid = requireWhole(gid, key);
  else if (key === "mtime" && mtime !== undefined && !Number.isNaN(mtime.getTime())) fields.mtime = mtime;
  else if (key === "mtime") throw invalid(WHAT, "its mtime is no time");
}

function requireWhole(value: number | undefined, key: string): number {
  if (value === undefined || !Number.isSafeInteger(value) || value < 0)
    throw invalid(WHAT, `its ${key} is no whole number`);
  return value;
}
