import fc from "fast-check";
import { expect, test } from "vitest";
import { dataRow, fields, rowDescription } from "../../test/backend-frames.ts";
import { parseDataRow, parseRowDescription, parseServerMessage } from "./backend-messages.ts";

/** Of a message without its type and length. */
const bodyOf = (message: Buffer): Buffer => message.subarray(5);
const text = fc.string().filter((value) => !value.includes("\0"));

test("a message of the server is read with all its fields, in any order", () => {
  fc.assert(
    fc.property(fc.record({ V: text, C: text, M: text, D: text, H: text, R: text }), (values) => {
      const { V: severity, C: sqlState, M: message, D: detail, H: hint, R: routine } = values;
      const expected = { severity, sqlState, message, detail, hint, routine };
      expect(parseServerMessage(fields(values))).toEqual(expected);
      expect(parseServerMessage(fields(Object.fromEntries(Object.entries(values).toReversed())))).toEqual(expected);
    }),
  );
});

test("the severity that is never translated goes before the one for people, and a pooler may leave all out", () => {
  expect(parseServerMessage(fields({ S: "FATAL", C: "57P01", M: "x" })).severity).toBe("FATAL");
  expect(parseServerMessage(fields({ S: "SCHWERWIEGEND", V: "FATAL" })).severity).toBe("FATAL");
  expect(parseServerMessage(Buffer.of(0))).toEqual({
    severity: "ERROR",
    sqlState: "XX000",
    message: "no message",
    detail: undefined,
    hint: undefined,
    routine: undefined,
  });
});

test("names and values of a result set are read as they were sent, NULL among them", () => {
  fc.assert(
    fc.property(fc.array(text), fc.array(fc.option(fc.string())), (names, values) => {
      expect(parseRowDescription(bodyOf(rowDescription(names)))).toMatchObject(names.map((name) => ({ name })));
      const row = values.map((value) => (value === null ? null : Buffer.from(value).toString("utf8")));
      expect(parseDataRow(bodyOf(dataRow(row)))).toEqual(row);
    }),
  );
});
