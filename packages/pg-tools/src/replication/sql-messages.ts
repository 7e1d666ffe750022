import { encodeServerText } from "../server-text/server-text.ts";

/** A value of a statement: `$1` and so on. */
export type SqlValue = string | number | bigint | boolean | null | readonly SqlValue[];

/** A message of the client: its type, its length, its body. */
function clientMessage(type: string, ...parts: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(4 + parts.reduce((sum, { length }) => sum + length, 0), 1);
  return Buffer.concat([head, ...parts]);
}

/** A simple Query message: the only form in which a walsender takes commands. */
export function queryMessage(command: string): Buffer {
  return clientMessage("Q", cString(command));
}

/** One statement with values, in the extended query protocol: parsed, bound, described, executed, with text both ways. */
export function statementMessages(sql: string, values: readonly SqlValue[]): Buffer {
  const none = int16(0);
  const bound = values.flatMap((value) => {
    const text = value === null ? undefined : encodeServerText(valueText(value));
    return text === undefined ? [int32(-1)] : [int32(text.length), text];
  });
  const unnamed = cString("");
  return Buffer.concat([
    clientMessage("P", unnamed, cString(sql), none),
    clientMessage("B", unnamed, unnamed, none, int16(values.length), ...bound, none),
    clientMessage("D", Buffer.from("P"), unnamed),
    clientMessage("E", unnamed, int32(0)),
    clientMessage("S"),
  ]);
}

export const TERMINATE = clientMessage("X");

function valueText(value: Exclude<SqlValue, null>): string {
  return typeof value === "object" ? arrayText(value) : String(value);
}

/** An array literal (PostgreSQL documentation, "Array Value Input"), every element quoted. */
function arrayText(values: readonly SqlValue[]): string {
  const elements = values.map((value) => {
    if (value === null) return "NULL";
    return typeof value === "object" ? arrayText(value) : `"${String(value).replaceAll(/["\\]/g, "\\$&")}"`;
  });
  return `{${elements.join(",")}}`;
}

function cString(text: string): Buffer {
  return Buffer.concat([encodeServerText(text), Buffer.of(0)]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
