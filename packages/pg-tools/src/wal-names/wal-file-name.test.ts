import { expect, test } from "vitest";
import {
  formatBackupHistoryName,
  formatHistoryFileName,
  formatPartialName,
  parseWalFileName,
} from "./wal-file-name.ts";

test.each([
  ["0000000A000000A900000065", { kind: "segment", timeline: 10, segmentName: "0000000A000000A900000065" }],
  ["000000010000000000000003.partial", { kind: "partial", timeline: 1, segmentName: "000000010000000000000003" }],
  ["0000000A.history", { kind: "history", timeline: 10 }],
  [
    "000000010000000000000005.00000028.backup",
    { kind: "backup-history", timeline: 1, segmentName: "000000010000000000000005", startOffset: 0x28 },
  ],
  ["RECOVERYXLOG", { kind: "other" }],
  ["00000001000000000000000a", { kind: "other" }],
  ["0000000100000000000000011", { kind: "other" }],
  ["x".repeat(64), { kind: "other" }],
])("reads %s", (name, expected) => {
  expect(parseWalFileName(name)).toEqual({ name, ...expected });
});

test.each([
  "",
  ".",
  "..",
  ".hidden",
  "a/b",
  "../000000010000000000000001",
  "pg_wal",
  "x".repeat(65),
  "a b",
  "a\n",
  "00000000.history",
  "000000000000000000000001",
])("refuses %j", (name) => {
  expect(() => parseWalFileName(name)).toThrow(expect.objectContaining({ code: "WAL_NAME_INVALID" }));
});

test("writes the names that it reads", () => {
  const segment = { timeline: 3, index: 300 };
  const size = 2 ** 24;
  expect(formatHistoryFileName(0x1f)).toBe("0000001F.history");
  expect(formatPartialName(segment, size)).toBe("00000003000000010000002C.partial");
  expect(formatBackupHistoryName(segment, 0xd8, size)).toBe("00000003000000010000002C.000000D8.backup");
  expect(parseWalFileName(formatBackupHistoryName(segment, 0xd8, size))).toMatchObject({
    kind: "backup-history",
    startOffset: 0xd8,
  });
});
