import { describe, expect, test } from "vitest";
import type { OptionRow } from "./option-table.ts";
import { parseOptionValue } from "./option-value.ts";

const row = (rest: Record<string, unknown>): OptionRow => ({ help: "Help.", ...rest }) as OptionRow;

describe("values", () => {
  test.each([
    [{ type: "string" }, "x", "x"],
    [{ type: "url", schemes: ["s3", "file", "memory"] }, "s3://bucket/prefix", "s3://bucket/prefix"],
    [{ type: "url", schemes: ["s3", "file", "memory"] }, "memory:test", "memory:test"],
    [{ type: "boolean" }, "ON", true],
    [{ type: "boolean" }, "no", false],
    [{ type: "boolean" }, "1", true],
    [{ type: "integer", min: 1 }, "08", 8],
    [{ type: "integer" }, "-3", -3],
    [{ type: "duration" }, "1s", 1000],
    [{ type: "duration", allowOff: true }, "off", "off"],
    [{ type: "size" }, "1MiB", 1_048_576],
    [{ type: "size", allowOff: true }, "off", "off"],
    [{ type: "choice", choices: ["gzip", "zstd"] }, "zstd", "zstd"],
    [{ type: "list" }, "a, b,c", ["a", "b", "c"]],
    [{ type: "list", choices: ["a", "b"] }, "b,a", ["b", "a"]],
    [{ type: "time" }, "2025-01-10T14:30:00Z", 1_736_519_400_000_000n],
  ])("%o reads %s", (rest, text, value) => {
    expect(parseOptionValue(row(rest), text)).toEqual(value);
  });
});

describe("refusals state a fact", () => {
  test.each([
    [{ type: "string" }, "", "it is empty"],
    [{ type: "url", schemes: ["s3", "memory"] }, "bucket", "it is not a URL that starts with s3:// or memory:"],
    [{ type: "url", schemes: ["https"] }, "http://x", "it is not a URL that starts with https://"],
    [{ type: "boolean" }, "maybe", "it is neither on nor off"],
    [{ type: "integer" }, "1.5", "it is not a whole number"],
    [{ type: "integer" }, "1e3", "it is not a whole number"],
    [{ type: "integer", max: 4 }, "5", "5 is more than 4"],
    [{ type: "duration", min: 100 }, "1ms", "1ms is less than 100 ms"],
    [{ type: "duration" }, "off", "it is not a duration with a unit"],
    [{ type: "size", max: 10 }, "1kB", "1kB is more than 10 bytes"],
    [{ type: "choice", choices: ["gzip", "zstd"] }, "gz", "it is not one of gzip, zstd"],
    [{ type: "list" }, "a,,b", "it has an empty item"],
    [{ type: "list", choices: ["a"] }, "a,b", "it is not one of a"],
  ])("%o refuses %j", (rest, text, message) => {
    expect(() => parseOptionValue(row(rest), text)).toThrow(message);
  });
});
