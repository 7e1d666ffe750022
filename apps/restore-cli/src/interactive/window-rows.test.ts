import type { RecoveryWindow, RestorableRange } from "@soar/repository/window";
import { expect, test } from "vitest";
import { windowRows } from "./window-rows.ts";

const day = (number: number, time = "02:00:00.500"): string => `2025-01-${String(number).padStart(2, "0")}T${time}Z`;
const hole = {
  from: "000000010000000000000013",
  to: "000000010000000000000014",
  count: 2,
  declared: undefined,
  expired: false,
};
const stoppedAt = new Map([5, 12, 19].map((number) => [`2025-01-${String(number).padStart(2, "0")}`, day(number)]));

function rowsOf(
  timelines: readonly {
    readonly timeline: number;
    readonly ranges: readonly Partial<RestorableRange>[];
    readonly unusable?: readonly string[];
  }[],
  zone = "UTC",
) {
  const window: RecoveryWindow = {
    gaps: [],
    unreadable: [],
    timelines: timelines.map(({ timeline, ranges, unusable = [] }) => ({
      timeline,
      parent: undefined,
      unusable,
      ranges: ranges.map((range) => ({
        from: day(5),
        to: day(20),
        fromLsn: "0/0",
        toLsn: "0/0",
        backups: [],
        hole: undefined,
        ...range,
      })),
    })),
  };
  return windowRows(window, { stoppedAt, zone });
}
const texts = (rows: ReturnType<typeof rowsOf>): string[] => rows.map(({ text }) => text);

test("one row per backup, newest first, in the zone that is asked for", () => {
  const rows = rowsOf(
    [{ timeline: 1, ranges: [{ backups: ["2025-01-05", "2025-01-12", "2025-01-19"] }] }],
    "Europe/Berlin",
  );
  expect(texts(rows)).toEqual([
    "timeline 1",
    "latest: the end of the WAL in the bucket",
    "2025-01-19 03:00:02 to 2025-01-20 03:00:00   backup 2025-01-19",
    "2025-01-12 03:00:02 to 2025-01-19 03:00:01   backup 2025-01-12",
    "2025-01-05 03:00:02 to 2025-01-12 03:00:01   backup 2025-01-05",
  ]);
  // Whatever row was chosen, the instant may move through the whole stretch.
  expect(rows[3]?.value).toMatchObject({
    kind: "range",
    fromMs: Date.parse(day(5, "02:00:02")),
    toMs: Date.parse(day(20, "02:00:00")),
    startMs: Date.parse(day(19, "02:00:01")),
    timeline: undefined,
  });
});

test("holes and backups that cannot be used stand where they are, and cannot be chosen", () => {
  const declared = { by: "root", at: day(9), reason: "disk full" };
  const rows = rowsOf([
    {
      timeline: 1,
      unusable: ["2025-01-12"],
      ranges: [
        { to: day(8), backups: ["2025-01-05"], hole: { ...hole, declared } },
        { from: day(19), to: day(20), backups: ["2025-01-19"], hole },
      ],
    },
  ]);
  expect(texts(rows)).toEqual([
    "timeline 1",
    `-- hole: 2 segments from ${hole.from} on`,
    "2025-01-19 02:00:02 to 2025-01-20 02:00:00   backup 2025-01-19",
    `-- hole: 2 segments from ${hole.from} on, given up by root`,
    "2025-01-05 02:00:02 to 2025-01-08 02:00:00   backup 2025-01-05",
    "-- backup 2025-01-12 cannot be used: WAL that it needs is missing",
  ]);
  expect(rows.filter(({ value }) => value !== undefined)).toHaveLength(2);
});

test("an older branch is named, and a backup without a commit behind it offers its own end", () => {
  const rows = rowsOf([
    { timeline: 2, ranges: [{ to: undefined, backups: ["2025-01-19"] }] },
    { timeline: 1, ranges: [{ backups: ["2025-01-05"] }] },
  ]);
  expect(texts(rows)).toMatchObject(
    [
      "timeline 2",
      /latest/,
      /end of backup 2025-01-19, no commit since/,
      "timeline 1, an older branch",
      /latest/,
      /backup 2025-01-05/,
    ].map((text) => (typeof text === "string" ? text : expect.stringMatching(text))),
  );
  expect(rows[2]?.value).toEqual({ kind: "end-of-backup", label: "2025-01-19", timeline: undefined });
  expect(rows[4]?.value).toEqual({ kind: "latest", timeline: 1 });
});

test("every row fits into 80 columns", () => {
  const declared = { by: "postgres", at: day(9), reason: "" };
  for (const text of texts(
    rowsOf([{ timeline: 1, ranges: [{ backups: ["2025-01-05"], hole: { ...hole, declared } }] }]),
  ))
    expect(text.length).toBeLessThanOrEqual(76);
});
