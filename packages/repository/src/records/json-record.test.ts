import { createHash } from "node:crypto";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as v from "valibot";
import {
  findExpectedRecord,
  findRecord,
  formatRecord,
  isSealedRecord,
  LARGEST_RECORD,
  instantText,
  lsnText,
  parseJsonAs,
  parseRecord,
} from "./json-record.ts";

const schema = v.object({
  format: v.literal(1),
  text: v.string(),
  at: v.optional(instantText),
  lsn: v.optional(lsnText),
  inner: v.optional(v.object({ list: v.array(v.number()) })),
});
const failure = (code: string, message: unknown) => expect.objectContaining({ code, message });

describe("a record", () => {
  test("is parsed as it was formatted", () => {
    const records = fc.record({ format: fc.constant(1 as const), text: fc.string() });
    fc.assert(
      fc.property(records, (record) => {
        expect(parseRecord(schema, formatRecord(record).toString("utf8"), "k")).toEqual(record);
      }),
    );
  });

  test("is indented and ends with its digest and a line end, for people", () => {
    const digest = createHash("sha256").update('{\n  "format": 1,\n  "text": "ä"').digest("hex");
    expect(formatRecord({ format: 1, text: "ä" }).toString("utf8")).toBe(
      `{\n  "format": 1,\n  "text": "ä",\n  "digest": "${digest}"\n}\n`,
    );
  });

  test("betrays every flipped bit", () => {
    const bytes = formatRecord({ format: 1, text: "some text", at: "2025-01-05T02:00:00.000Z" });
    expect(isSealedRecord(bytes.toString("utf8"))).toBe(true);
    for (let at = 0; at < bytes.length * 8; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at >> 3] = (flipped[at >> 3] ?? 0) ^ (1 << (at & 7));
      expect(isSealedRecord(flipped.toString("utf8")), `bit ${at}`).toBe(false);
    }
  });

  test("whose digest is another's is damage; one without is as good as its fields", () => {
    const text = formatRecord({ format: 1, text: "some text" }).toString("utf8");
    expect(() => parseRecord(schema, text.replace("some", "same"), "k")).toThrow(
      failure("REPOSITORY_DAMAGED", "unable to read 'k': its digest is not that of its content"),
    );
    expect(parseRecord(schema, text.replace(/,\n {2}"digest.*\n/, "\n"), "k")).toEqual({
      format: 1,
      text: "some text",
    });
  });

  test("may hold fields of a newer program of the same format, which are left out", () => {
    expect(parseRecord(schema, '{"format":1,"text":"a","later":{"x":1}}', "k")).toEqual({ format: 1, text: "a" });
  });

  test("of a higher format is refused with what to do, whatever else it holds", () => {
    expect(() => parseRecord(schema, '{"format":2}', "s3://b/k")).toThrow(
      failure("REPOSITORY_VERSION", "unable to read 's3://b/k': it has format 2, this program knows 1"),
    );
  });

  test.each([
    ["no JSON", "{", "unable to read 'k': it is not JSON"],
    ["cut short", '{"format":1,"text":"a', "unable to read 'k': it is not JSON"],
    ["empty", "", "unable to read 'k': it is not JSON"],
    ["no object", "[1]", expect.stringContaining("unable to read 'k': ")],
    ["null", "null", expect.stringContaining("unable to read 'k': record: ")],
    ["without a format", '{"text":"a"}', expect.stringContaining("unable to read 'k': format: ")],
    ["of format 0", '{"format":0,"text":"a"}', expect.stringContaining("unable to read 'k': format: ")],
    [
      "with a format that is no number",
      '{"format":"2","text":"a"}',
      expect.stringContaining("unable to read 'k': format: "),
    ],
    [
      "with a wrong type inside",
      '{"format":1,"text":"a","inner":{"list":[1,"2"]}}',
      expect.stringContaining("unable to read 'k': inner.list.1: "),
    ],
    ["with a wrong LSN", '{"format":1,"text":"a","lsn":"0/xyz"}', expect.stringContaining("unable to read 'k': lsn: ")],
    [
      "with a wrong instant",
      '{"format":1,"text":"a","at":"yesterday"}',
      expect.stringContaining("unable to read 'k': at: "),
    ],
  ])("that is %s is damage", (_, text, message) => {
    expect(() => parseRecord(schema, text, "k")).toThrow(failure("REPOSITORY_DAMAGED", message));
  });
});

describe("findRecord", () => {
  test("gives the record, or undefined when there is none", async () => {
    const store = createMemoryStore({ name: "r" });
    expect(await findRecord(store, "a/b.json", schema)).toBeUndefined();
    await store.put("a/b.json", formatRecord({ format: 1, text: "x" }));
    expect(await findRecord(store, "a/b.json", schema)).toEqual({ format: 1, text: "x" });
  });

  test("names the object that is damaged, and does not read one without end", async () => {
    const store = createMemoryStore({ name: "r" });
    await store.put("a", Buffer.from("{"));
    await expect(findRecord(store, "a", schema)).rejects.toThrow("unable to read 'memory:r/a': it is not JSON");
    await store.put("huge", Buffer.alloc(8 * 1024 * 1024 + 1, " "));
    await expect(findRecord(store, "huge", schema)).rejects.toThrow(/'memory:r\/huge'/);
    await expect(findRecord(store, "huge", schema)).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
      message: expect.stringContaining("no record has more than") as string,
    });
  });
});

describe("findExpectedRecord", () => {
  test("asks once for a record that is there, and looks a second time before it says that there is none", async () => {
    const memory = createMemoryStore({ name: "r" });
    const asked: string[] = [];
    const store: ObjectStore = {
      ...memory,
      get: (key, options) => (asked.push("get"), memory.get(key, options)),
      stat: (key, options) => (asked.push("stat"), memory.stat(key, options)),
    };
    expect(await findExpectedRecord(store, "a.json", schema)).toBeUndefined();
    expect(asked.splice(0)).toEqual(["get", "stat"]);
    await store.put("a.json", formatRecord({ format: 1, text: "x" }));
    expect(await findExpectedRecord(store, "a.json", schema)).toEqual({ format: 1, text: "x" });
    expect(asked.splice(0)).toEqual(["get"]);
    // One that comes into being in between is read.
    const late: ObjectStore = {
      ...store,
      stat: async (key, options) => (
        await memory.put("late.json", formatRecord({ format: 1, text: "y" })),
        memory.stat(key, options)
      ),
    };
    expect(await findExpectedRecord(late, "late.json", schema)).toEqual({ format: 1, text: "y" });
  });
});

test("what is kept on this machine is read as it was written, and not at all when it was cut off or changed", () => {
  const kept = v.object({ list: v.array(v.number()) });
  fc.assert(
    fc.property(fc.array(fc.integer()), (list) => {
      const text = JSON.stringify({ list });
      expect(parseJsonAs(kept, text)).toEqual({ list });
      for (let length = 0; length < text.length; length += 1)
        expect(parseJsonAs(kept, text.slice(0, length))).toBeUndefined();
    }),
    { numRuns: 20 },
  );
  expect(parseJsonAs(kept, '{"list":["1"]}')).toBeUndefined();
});

test("a record that no reader would read is not formed", () => {
  const most = { format: 1, text: "x".repeat(LARGEST_RECORD - formatRecord({ format: 1, text: "" }).length) };
  expect(formatRecord(most, schema)).toHaveLength(LARGEST_RECORD);
  expect(() => formatRecord({ ...most, text: `${most.text}x` })).toThrow(
    failure(
      "RECORD_TOO_LARGE",
      `unable to write a record: it has ${LARGEST_RECORD + 1} bytes, and no reader takes more than ${LARGEST_RECORD}`,
    ),
  );
  expect(() => formatRecord({ format: 1, text: "", inner: { list: ["x"] } }, schema)).toThrow(
    failure("RECORD_TOO_LARGE", expect.stringMatching(/^unable to write a record: inner\.list\.0: /)),
  );
});
