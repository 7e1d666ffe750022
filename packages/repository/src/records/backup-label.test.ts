import fc from "fast-check";
import { expect, test } from "vitest";
import { chooseBackupLabel, isBackupLabel, requireBackupLabel } from "./backup-label.ts";

const moments = fc.date({
  min: new Date("2000-01-01T00:00:00Z"),
  max: new Date("2099-12-31T23:59:59Z"),
  noInvalidDate: true,
});

test("the first backup of a UTC day is named by the date, a further one by date and time", () => {
  const moment = new Date("2025-01-05T14:03:12.900Z");
  expect(chooseBackupLabel(moment, new Set())).toBe("2025-01-05");
  expect(chooseBackupLabel(moment, new Set(["2025-01-05"]))).toBe("2025-01-05T140312Z");
  expect(chooseBackupLabel(moment, new Set(["2025-01-05", "2025-01-05T140312Z"]))).toBe("2025-01-05T140312Z");
});

test("whatever is chosen is a label, and a new one", () => {
  fc.assert(
    fc.property(moments, fc.boolean(), (moment, second) => {
      const taken = new Set(second ? [moment.toISOString().slice(0, 10)] : []);
      const label = chooseBackupLabel(moment, taken);
      expect(isBackupLabel(label)).toBe(true);
      expect(taken.has(label)).toBe(false);
    }),
  );
});

test.each(["2025-02-30", "2025-1-5", "2025-01-05T240000Z", "2025-01-05T140312", "latest", "", "../x", "2025-01-05/"])(
  "%j is no label",
  (text) => {
    expect(isBackupLabel(text)).toBe(false);
    expect(() => requireBackupLabel(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  },
);

test.each(["2025-01-05", "2025-01-05T140312Z", "2024-02-29"])("%j is taken as it is", (text) => {
  expect(requireBackupLabel(text)).toBe(text);
});
