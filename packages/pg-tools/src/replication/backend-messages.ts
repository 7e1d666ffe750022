import type { ServerMessage } from "./server-failure.ts";

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
    fields.set(String.fromCharCode(body.readUInt8(at)), body.toString("utf8", at + 1, end));
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

/** Names of the columns in a RowDescription. */
export function parseRowDescription(body: Buffer): string[] {
  const count = body.readInt16BE(0);
  const names: string[] = [];
  for (let at = 2; names.length < count;) {
    const end = body.indexOf(0, at);
    names.push(body.toString("utf8", at, end));
    // Table, attribute, type, type length, modifier, format.
    at = end + 1 + 18;
  }
  return names;
}

export function parseDataRow(body: Buffer): (string | null)[] {
  const values: (string | null)[] = [];
  const count = body.readInt16BE(0);
  for (let at = 2; values.length < count;) {
    const length = body.readInt32BE(at);
    at += 4;
    values.push(length < 0 ? null : body.toString("utf8", at, at + length));
    at += Math.max(length, 0);
  }
  return values;
}

/** A zero-terminated text and the offset behind it. */
export function readCString(body: Buffer, offset: number): { readonly text: string; readonly next: number } {
  const end = body.indexOf(0, offset);
  return { text: body.toString("utf8", offset, end), next: end + 1 };
}
