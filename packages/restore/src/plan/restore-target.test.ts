import { expect, test } from "vitest";
import { describeTarget, type RestoreTarget } from "./restore-target.ts";

test("a target is told in words", () => {
  const words: readonly (readonly [RestoreTarget, string])[] = [
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
