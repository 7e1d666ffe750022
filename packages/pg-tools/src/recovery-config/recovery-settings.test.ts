import fc from "fast-check";
import { expect, test } from "vitest";
import { formatTargetTime } from "./recovery-settings.ts";

test("an instant is written to the microsecond, in UTC, before 1970 as well", () => {
  expect(formatTargetTime(1_736_519_400_000_001n)).toBe("2025-01-10 14:30:00.000001+00");
  expect(formatTargetTime(1_736_519_400_000_000n)).toBe("2025-01-10 14:30:00+00");
  expect(formatTargetTime(-1n)).toBe("1969-12-31 23:59:59.999999+00");
  fc.assert(
    fc.property(fc.bigInt({ min: -2_000_000_000_000_000n, max: 4_000_000_000_000_000n }), (micros) => {
      const [, text = "", fraction = "0"] =
        /^(\S+ \d\d:\d\d:\d\d)(?:\.(\d{6}))?\+00$/.exec(formatTargetTime(micros)) ?? [];
      expect(BigInt(Date.parse(`${text.replace(" ", "T")}Z`)) * 1000n + BigInt(fraction)).toBe(micros);
    }),
  );
});
