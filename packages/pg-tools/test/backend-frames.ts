/** Messages of a server as bytes (PostgreSQL documentation, "Message Formats"), for tests that send what no server sends today. */

export function message(type: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 0, "latin1");
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`);

/** Columns of type text, unless an OID of another type is given. */
export function rowDescription(columns: readonly (string | readonly [name: string, typeOid: number])[]): Buffer {
  const described = columns.map((column) => {
    const [name, typeOid] = typeof column === "string" ? [column, 25] : column;
    const rest = Buffer.alloc(18);
    rest.writeInt32BE(typeOid, 6);
    rest.writeInt16BE(-1, 10);
    return Buffer.concat([text(name), rest]);
  });
  return message("T", Buffer.concat([int16(columns.length), ...described]));
}

export function dataRow(values: readonly (string | null)[]): Buffer {
  const cells = values.map((value) =>
    value === null ? int32(-1) : Buffer.concat([int32(Buffer.byteLength(value)), Buffer.from(value)]),
  );
  return message("D", Buffer.concat([int16(values.length), ...cells]));
}

/** A result set with its end, without the readiness for the next command. */
export function resultSet(
  columns: Parameters<typeof rowDescription>[0],
  ...rows: readonly (readonly (string | null)[])[]
): Buffer {
  return Buffer.concat([rowDescription(columns), ...rows.map(dataRow), message("C", text("SELECT"))]);
}

/** By the letters of the documentation: S, V, C, M, D, H, R. */
export function fields(values: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat([...Object.entries(values).map(([letter, value]) => text(`${letter}${value}`)), Buffer.of(0)]);
}

export function errorResponse(values: Readonly<Record<string, string>>): Buffer {
  return message("E", fields({ V: "ERROR", C: "XX000", M: "it went wrong", ...values }));
}

export function noticeResponse(values: Readonly<Record<string, string>>): Buffer {
  return message("N", fields({ V: "WARNING", C: "01000", ...values }));
}

export function parameterStatus(name: string, value: string): Buffer {
  return message("S", Buffer.concat([text(name), text(value)]));
}

export const ready = message("Z", Buffer.from("I"));
export const copyOut = message("H", Buffer.from([0, 0, 0]));
export const copyBoth = message("W", Buffer.from([0, 0, 0]));
export const copyDone = message("c");

export function copyData(kind: string, ...parts: readonly Buffer[]): Buffer {
  return message("d", Buffer.concat([Buffer.from(kind, "latin1"), ...parts]));
}

export function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
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
