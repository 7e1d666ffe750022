import type { ServerMessage } from "./server-failure.ts";
import { decodeServerText } from "../server-text/server-text.ts";

/** A result set as text, NULL as `null`. */
export interface ResultSet {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** ErrorResponse and NoticeResponse: pairs of a field letter and a text. */
export function parseServerMessage(body: Buffer): ServerMessage {
  const fields = new Map<string, string>();
  for (let at = 0; at < body.length && body[at] !== 0;) {
    const end = body.indexOf(0, at + 1);
    fields.set(String.fromCharCode(body.readUInt8(at)), decodeServerText(body.subarray(at + 1, end)));
    at = end + 1;
  }
  return {
    // V is the severity that is never translated, S the one for people.
    severity: fields.get("V") ?? fields.get("S") ?? "ERROR",
    sqlState: fields.get("C") ?? "XX000",
    message: fields.get("M") ?? "no message",
    detail: fields.get("D"),
    hint: fields.get("H"),
    routine: fields.get("R"),
  };
}

/** A column of a RowDescription. */
export interface ResultColumn {
  readonly name: string;
  /** OID of its type. */
  readonly type: number;
}

export function parseRowDescription(body: Buffer): ResultColumn[] {
  const count = body.readInt16BE(0);
  const columns: ResultColumn[] = [];
  for (let at = 2; columns.length < count;) {
    const { text: name, next } = readCString(body, at);
    // Table (4 bytes), attribute (2), type (4), type length (2), modifier (4), format (2).
    columns.push({ name, type: body.readUInt32BE(next + 6) });
    at = next + 18;
  }
  return columns;
}

export function parseDataRow(body: Buffer): (string | null)[] {
  const values: (string | null)[] = [];
  const count = body.readInt16BE(0);
  for (let at = 2; values.length < count;) {
    const length = body.readInt32BE(at);
    at += 4;
    values.push(length < 0 ? null : decodeServerText(body.subarray(at, at + length)));
    at += Math.max(length, 0);
  }
  return values;
}

/** A zero-terminated text and the offset behind it. */
export function readCString(body: Buffer, offset: number): { readonly text: string; readonly next: number } {
  const end = body.indexOf(0, offset);
  return { text: decodeServerText(body.subarray(offset, end)), next: end + 1 };
}
