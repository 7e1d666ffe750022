import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatInstant, localZone, parseInstant } from "./instant.ts";

const utc = (text: string, zone?: string): string => formatInstant(parseInstant(text, { zone }));

describe("an instant with an offset", () => {
  test.each([
    ["2025-01-10 14:30:00Z", "2025-01-10T14:30:00Z"],
    ["2025-01-10T14:30:00.123456+02:00", "2025-01-10T12:30:00.123456Z"],
    ["2025-01-10 14:30:00.5 UTC", "2025-01-10T14:30:00.500Z"],
    ["2025-01-10 14:30:00,25-04", "2025-01-10T18:30:00.250Z"],
    ["2025-01-10 14:30+0530", "2025-01-10T09:00:00Z"],
    ["2025-01-10 00:00:00.000001+00", "2025-01-10T00:00:00.000001Z"],
    ["2025-07-10 14:30:00 Europe/Berlin", "2025-07-10T12:30:00Z"],
  ])("%s", (text, expected) => {
    expect(utc(text, "Asia/Tokyo")).toBe(expected);
  });
});

describe("an instant without an offset is local time of the zone", () => {
  test.each([
    ["2025-01-10 14:30:00", "America/New_York", "2025-01-10T19:30:00Z"],
    ["2025-07-10 14:30:00", "America/New_York", "2025-07-10T18:30:00Z"],
    ["2025-01-10", "Europe/Berlin", "2025-01-09T23:00:00Z"],
    ["2025-01-10 14:30:00", "Asia/Kolkata", "2025-01-10T09:00:00Z"],
    ["2025-01-10 14:30:00", "UTC", "2025-01-10T14:30:00Z"],
    // Samoa left out 2011-12-30 altogether; the days beside it are whole.
    ["2011-12-31 00:00:00", "Pacific/Apia", "2011-12-30T10:00:00Z"],
  ])("%s in %s", (text, zone, expected) => {
    expect(utc(text, zone)).toBe(expected);
  });

  test("the machine's zone is the default", () => {
    expect(parseInstant("2025-01-10 14:30:00")).toBe(parseInstant("2025-01-10 14:30:00", { zone: localZone() }));
  });

  test.each([
    [
      "2025-03-30 02:30:00",
      "Europe/Berlin",
      /does not exist in Europe\/Berlin/,
      /02:30:00\+01:00 .* 2025-03-30 02:30:00\+02:00/,
    ],
    ["2011-12-30 12:00:00", "Pacific/Apia", /does not exist in Pacific\/Apia/, /offset/],
    [
      "2025-10-26 02:30:00",
      "Europe/Berlin",
      /happens twice in Europe\/Berlin/,
      /02:30:00\+02:00 for the first .*02:30:00\+01:00 for the second/,
    ],
    [
      "2025-11-02 01:30:00",
      "America/New_York",
      /happens twice in America\/New_York/,
      /01:30:00-04:00 for the first .*01:30:00-05:00/,
    ],
    ["2025-04-06 01:45:00", "Australia/Lord_Howe", /happens twice/, /\+11:00 for the first .*\+10:30/],
  ])("%s in %s is refused by name", (text, zone, message, hint) => {
    expect(() => parseInstant(text, { zone })).toThrow(
      expect.objectContaining({
        code: "TARGET_INVALID",
        message: expect.stringMatching(message),
        hint: expect.stringMatching(hint),
      }),
    );
  });

  test("either side of a change of clocks is fine", () => {
    expect(utc("2025-03-30 01:59:59.999999", "Europe/Berlin")).toBe("2025-03-30T00:59:59.999999Z");
    expect(utc("2025-03-30 03:00:00", "Europe/Berlin")).toBe("2025-03-30T01:00:00Z");
    expect(utc("2025-10-26 03:00:00", "Europe/Berlin")).toBe("2025-10-26T02:00:00Z");
  });
});

test.each([
  "yesterday",
  "2025-01-10 14:30:00 CET",
  "2025-01-10 14:30:00 Mars/Olympus",
  "2025-02-30 10:00:00",
  "2025-01-10 24:00:00",
  "2025-01-10 14:30:61",
  "2025-01-10 14:30:00.1234567",
  "2025-01-10 14:30:00+16",
  "1969-12-31 00:00:00Z",
  "10.01.2025 14:30",
  "",
])("%j is refused with advice", (text) => {
  expect(() => parseInstant(text)).toThrow(
    expect.objectContaining({ code: "TARGET_INVALID", hint: expect.stringMatching(/\.$/) }),
  );
});

test.each(["EST", "Mars/Olympus", "CET"])("the zone %s is refused", (zone) => {
  expect(() => parseInstant("2025-01-10 14:30:00", { zone })).toThrow(/there is no such zone/);
});

test("what is formatted is read back, to the microsecond", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 253_402_300_799_999_999n }), (micros) => {
      expect(parseInstant(formatInstant(micros))).toBe(micros);
    }),
  );
});

test("a local time that is accepted is the one that the zone's clocks show then", () => {
  const zones = fc.constantFrom(
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Africa/Casablanca",
    "UTC",
  );
  fc.assert(
    fc.property(zones, fc.integer({ min: 86_400, max: 4_102_444_800 }), (zone, second) => {
      const shown = new Intl.DateTimeFormat("sv-SE", {
        timeZone: zone,
        dateStyle: "short",
        timeStyle: "medium",
      }).format(second * 1000);
      let micros: bigint;
      try {
        micros = parseInstant(shown, { zone });
      } catch (error) {
        // Shown by clocks, so it exists: it can only be one that they show twice.
        expect(error).toMatchObject({ message: expect.stringContaining("happens twice") });
        return;
      }
      expect(micros).toBe(BigInt(second) * 1_000_000n);
    }),
    { numRuns: 300 },
  );
});
