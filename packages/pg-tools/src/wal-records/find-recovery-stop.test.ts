import { describe, expect, test } from "vitest";
import { findRecoveryStop, type RecoveryTarget } from "./find-recovery-stop.ts";
import type { TransactionEnd, WalRecord } from "./wal-record.ts";

const position = (lsn: bigint): { lsn: bigint; endLsn: bigint; previousEndLsn: bigint } => ({
  lsn,
  endLsn: lsn + 10n,
  previousEndLsn: lsn,
});
const end = (lsn: bigint, xid: number, time: bigint, kind: TransactionEnd["kind"] = "commit"): WalRecord => ({
  kind,
  ...position(lsn),
  xid,
  time,
});

/** Times are not in LSN order, as on a busy server. */
const records: readonly WalRecord[] = [
  { kind: "other", ...position(100n), resourceManager: 10, info: 0, xid: 7 },
  end(110n, 7, 1000n),
  { kind: "prepare", ...position(120n), xid: 8, time: 9000n, gid: "g" },
  end(130n, 9, 1002n, "abort"),
  end(140n, 6, 1001n),
  { kind: "restore-point", ...position(150n), name: "here", time: 9000n },
  end(160n, 8, 1002n, "commit-prepared"),
  { kind: "restore-point", ...position(170n), name: "here", time: 9001n },
  end(180n, 10, 1003n, "abort-prepared"),
];

describe("recovery stops", () => {
  test.each<[string, RecoveryTarget, [string, bigint, bigint] | undefined]>([
    [
      "before the first later end, past those with the target's own time",
      { type: "time", time: 1002n },
      ["before", 180n, 180n],
    ],
    [
      "before the first end at or after an exclusive time",
      { type: "time", time: 1002n, inclusive: false },
      ["before", 130n, 130n],
    ],
    [
      "at the first later end although an earlier time follows",
      { type: "time", time: 1001n, inclusive: true },
      ["before", 130n, 130n],
    ],
    ["nowhere when nothing ended later", { type: "time", time: 1003n }, undefined],
    ["before the first end, for a time before all", { type: "time", time: 0n }, ["before", 110n, 110n]],
    ["after a transaction", { type: "xid", xid: 6 }, ["after", 140n, 150n]],
    ["before a transaction", { type: "xid", xid: 6, inclusive: false }, ["before", 140n, 140n]],
    ["after the end of a prepared transaction, not its preparation", { type: "xid", xid: 8 }, ["after", 160n, 170n]],
    ["nowhere for a transaction that did not end", { type: "xid", xid: 5 }, undefined],
    ["after the record at an LSN", { type: "lsn", lsn: 120n }, ["after", 120n, 130n]],
    ["after the first record behind an LSN within a record", { type: "lsn", lsn: 115n }, ["after", 120n, 130n]],
    ["before the record at an exclusive LSN", { type: "lsn", lsn: 120n, inclusive: false }, ["before", 120n, 120n]],
    ["nowhere for an LSN behind the end", { type: "lsn", lsn: 181n }, undefined],
    ["after the first restore point of that name", { type: "name", name: "here" }, ["after", 150n, 160n]],
    ["nowhere for another name", { type: "name", name: "there" }, undefined],
    [
      "after the record of a transaction that makes the backup consistent",
      { type: "immediate", consistentLsn: 130n },
      ["after", 120n, 130n],
    ],
    [
      "before the record behind another one that does",
      { type: "immediate", consistentLsn: 160n },
      ["before", 160n, 160n],
    ],
    ["at once when it is consistent already", { type: "immediate", consistentLsn: 90n }, ["before", 100n, 100n]],
    ["nowhere while it is not consistent", { type: "immediate", consistentLsn: 500n }, undefined],
  ])("%s", (_what, target, expected) => {
    const stop = findRecoveryStop(records, target);
    expect(stop === undefined ? undefined : [stop.when, stop.record.lsn, stop.lsn]).toEqual(expected);
  });
});
