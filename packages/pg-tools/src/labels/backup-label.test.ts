import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BackupHistory,
  type BackupLabel,
  formatBackupHistory,
  formatBackupLabel,
  parseBackupHistory,
  parseBackupHistoryOf,
  parseBackupLabel,
} from "./backup-label.ts";
import { requireMajor } from "../majors/find-major.ts";
import { parseWalFileName } from "../wal-names/wal-file-name.ts";

/** As PostgreSQL 15.20 wrote it. */
const LABEL = `START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
CHECKPOINT LOCATION: 0/2000060
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-11-24 03:28:25 UTC
LABEL: my label: x
START TIMELINE: 1
`;

/** As PostgreSQL 19~rc1 wrote it. */
const LABEL_OF_19 = LABEL.replace("0/2000028", "0/02000028").replace("0/2000060", "0/02000080");

const lsns = fc.bigInt(0n, 2n ** 64n - 1n);
const words = fc.stringMatching(/^[!-~]+$/);
const timelines = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const segmentNames = fc.stringMatching(/^[0-9A-F]{24}$/);
const labels: fc.Arbitrary<BackupLabel> = fc.record({
  startLsn: lsns,
  startSegmentName: segmentNames,
  checkpointLsn: lsns,
  method: words,
  from: words,
  startTime: fc.stringMatching(/^[ -~]*$/),
  label: fc.string(),
  startTimeline: timelines,
  incrementalFrom: fc.option(fc.record({ lsn: lsns, timeline: timelines }), { nil: undefined }),
});
const stops = fc.record({
  stopLsn: lsns,
  stopSegmentName: segmentNames,
  stopTime: fc.stringMatching(/^[ -~]*$/),
  stopTimeline: timelines,
});

describe("backup_label", () => {
  test("is read as PostgreSQL wrote it, and written byte for byte", () => {
    expect(parseBackupLabel(LABEL)).toEqual({
      startLsn: 0x200_0028n,
      startSegmentName: "000000010000000000000002",
      checkpointLsn: 0x200_0060n,
      method: "streamed",
      from: "primary",
      startTime: "2026-11-24 03:28:25 UTC",
      label: "my label: x",
      startTimeline: 1,
      incrementalFrom: undefined,
    });
    expect(formatBackupLabel(parseBackupLabel(LABEL), requireMajor(15))).toBe(LABEL);
    expect(formatBackupLabel(parseBackupLabel(LABEL_OF_19), requireMajor(19))).toBe(LABEL_OF_19);
  });

  test("survives writing and reading, whatever the label holds", () => {
    fc.assert(
      fc.property(labels, (label) => {
        expect(parseBackupLabel(formatBackupLabel(label, requireMajor(15)))).toEqual(label);
      }),
    );
  });

  test("names what an incremental backup builds upon", () => {
    const text = `${LABEL}INCREMENTAL FROM LSN: 0/1000028\nINCREMENTAL FROM TLI: 1\n`;
    expect(parseBackupLabel(text).incrementalFrom).toEqual({ lsn: 0x100_0028n, timeline: 1 });
  });

  test.each([
    ["nothing", ""],
    ["half of it", LABEL.slice(0, 100)],
    ["something behind it", `${LABEL}more\n`],
    ["no last line end", LABEL.trimEnd()],
    ["a stop position", `${LABEL}STOP TIME: now\nSTOP TIMELINE: 1\n`],
    ["a stop location", LABEL.replace("CHECK", "STOP WAL LOCATION: 0/3000000 (file 000000010000000000000003)\nCHECK")],
  ])("is refused when there is %s", (_what, text) => {
    expect(() => parseBackupLabel(text)).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  });
});

const HISTORY =
  LABEL.replace("CHECK", "STOP WAL LOCATION: 0/2000100 (file 000000010000000000000002)\nCHECK") +
  "STOP TIME: 2026-11-24 03:28:26 UTC\nSTOP TIMELINE: 1\n";

describe("a backup history file", () => {
  test("adds the stop position", () => {
    const text = HISTORY;
    expect(parseBackupHistory(text)).toMatchObject({
      startLsn: 0x200_0028n,
      stopLsn: 0x200_0100n,
      stopTimeline: 1,
      stopTime: "2026-11-24 03:28:26 UTC",
    });
    expect(formatBackupHistory(parseBackupHistory(text), requireMajor(15))).toBe(text);
  });

  test("survives writing and reading", () => {
    const histories: fc.Arbitrary<BackupHistory> = fc
      .tuple(labels, stops)
      .map(([label, stop]) => ({ ...label, ...stop }));
    fc.assert(
      fc.property(histories, (history) => {
        expect(parseBackupHistory(formatBackupHistory(history, requireMajor(19)))).toEqual(history);
      }),
    );
  });

  test.each([
    ["as it is", "000000010000000000000002.00000028.backup", HISTORY, true],
    ["of another segment", "000000010000000000000003.00000028.backup", HISTORY, false],
    ["of another position in it", "000000010000000000000002.00000060.backup", HISTORY, false],
    ["of another timeline", "000000010000000000000002.00000028.backup", HISTORY.replace("LINE: 1", "LINE: 2"), false],
    ["a label", "000000010000000000000002.00000028.backup", LABEL, false],
    ["in larger segments", "000000010000000000000002.00A00028.backup", HISTORY.replace("0/2000028", "0/2A00028"), true],
  ])("%s is held against its name", (_what, name, text, isIt) => {
    const file = parseWalFileName(name);
    if (file.kind !== "backup-history") throw new Error(`${name} is none`);
    if (isIt) expect(parseBackupHistoryOf(file, text)).toEqual(parseBackupHistory(text));
    else expect(() => parseBackupHistoryOf(file, text)).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  });

  test("is refused without a stop position", () => {
    expect(() => parseBackupHistory(LABEL)).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  });
});
