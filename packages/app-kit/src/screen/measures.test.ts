import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, formatRate, formatSize, parseDuration, parseSize } from "./measures.ts";

describe("parseDuration", () => {
  test.each([
    ["500ms", 500],
    ["1s", 1000],
    ["1.5s", 1500],
    ["5min", 300_000],
    ["2h", 7_200_000],
    ["30d", 2_592_000_000],
    ["1h30min", 5_400_000],
    ["1 h 30 min", 5_400_000],
    ["0s", 0],
  ])("%s is %d ms", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each(["5", "5m", "s", "", "5 seconds", "-1s", "1s!", "x1s", "1s,2s"])(
    "refuses %j and says which units there are",
    (text) => {
      expect(() => parseDuration(text)).toThrow(
        expect.objectContaining({ hint: expect.stringContaining("ms, s, min, h, d") }),
      );
    },
  );
});

describe("parseSize", () => {
  test.each([
    ["512B", 512],
    ["64kB", 64_000],
    ["50MB", 50_000_000],
    ["50MiB", 52_428_800],
    ["1.5 GiB", 1_610_612_736],
    ["5TiB", 5_497_558_138_880],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(["50", "50M", "50mib", "MiB", "", "-1B", "9000000TiB"])("refuses %j", (text) => {
    expect(() => parseSize(text)).toThrow(/it (?:is not a size|is too large)/);
  });
});

test.each([
  [0, "0 B"],
  [512, "512 B"],
  [1023, "1 KiB"],
  [16 * 2 ** 20, "16 MiB"],
  [1_234_567_890, "1.15 GiB"],
  [420 * 2 ** 30, "420 GiB"],
  [999.7 * 2 ** 30, "0.98 TiB"],
])("formatSize(%d) is %s", (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});

test("a formatted size is near the number and short", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 50 }), (bytes) => {
      const text = formatSize(bytes);
      expect(text.length).toBeLessThanOrEqual(8);
      expect(
        Math.abs(parseSize(text.replace("PiB", "TiB")) * (text.endsWith("PiB") ? 1024 : 1) - bytes) / bytes,
      ).toBeLessThan(0.01);
    }),
  );
});

test.each([
  [0, "0 s"],
  [4, "0 s"],
  [412, "0.41 s"],
  [12_345, "12.3 s"],
  [59_949, "59.9 s"],
  [59_990, "1 min 00 s"],
  [185_000, "3 min 05 s"],
  [3_599_900, "1 h 00 min"],
  [8_040_000, "2 h 14 min"],
  [86_400_000 * 3 + 4 * 3_600_000, "3 d 04 h"],
  [Infinity, "-"],
])("formatDuration(%d) is %s", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test("a rate that is not known is a dash", () => {
  expect(formatRate(Number.NaN)).toBe("-");
  expect(formatRate(120 * 2 ** 20)).toBe("120 MiB/s");
});
