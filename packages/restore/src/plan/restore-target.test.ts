import fc from "fast-check";
import { expect, test } from "vitest";
import { describeTarget, formatInstant, type RecoveryTarget } from "./restore-target.ts";

test("an instant is written to the microsecond, in UTC, before 1970 as well", () => {
  expect(formatInstant(1_736_519_400_000_001n)).toBe("2025-01-10 14:30:00.000001+00");
  expect(formatInstant(1_736_519_400_000_000n)).toBe("2025-01-10 14:30:00+00");
  expect(formatInstant(-1n)).toBe("1969-12-31 23:59:59.999999+00");
  fc.assert(
    fc.property(fc.bigInt({ min: -2_000_000_000_000_000n, max: 4_000_000_000_000_000n }), (micros) => {
      const [, text = "", fraction = "0"] =
        /^(\S+ \d\d:\d\d:\d\d)(?:\.(\d{6}))?\+00$/.exec(formatInstant(micros)) ?? [];
      expect(BigInt(Date.parse(`${text.replace(" ", "T")}Z`)) * 1000n + BigInt(fraction)).toBe(micros);
    }),
  );
});

test("a target is told in words", () => {
  const words: readonly (readonly [RecoveryTarget, string])[] = [
    [{ kind: "latest" }, "latest: the end of the WAL in the bucket"],
    [{ kind: "time", time: 0n, inclusive: true }, "time 1970-01-01 00:00:00+00"],
    [{ kind: "time", time: 0n, inclusive: false }, "time 1970-01-01 00:00:00+00 (exclusive)"],
    [{ kind: "lsn", lsn: 0x5000148n, inclusive: false }, "LSN 0/5000148 (exclusive)"],
    [{ kind: "xid", xid: 731, inclusive: true }, "transaction 731"],
    [{ kind: "name", name: "before" }, "restore point 'before'"],
    [{ kind: "immediate" }, "immediate: as soon as the backup is consistent"],
  ];
  for (const [target, text] of words) expect(describeTarget(target)).toBe(text);
});
