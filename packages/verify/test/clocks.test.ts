import { backupKey, formatRecord, requireBackupRecord } from "@soar/repository";
import { SAMPLE_LABEL, replaceObject } from "@soar-tooling/sample-repository";
import { expect, test } from "vitest";
import { QUICK, useSampleRepository, warning } from "./sample-repository.fixture.ts";

const { repository, verify, find } = useSampleRepository();
const NOW = Date.parse("2025-01-06T04:00:00Z");
const DAY_MS = 86_400_000;

test.each([
  [400, /set 400 days ahead, or the machine slept/],
  [-400, /set 400 days back/],
])(
  "a clock that is set by %i days in the middle of a verification makes nothing old, and is told",
  async (days, what) => {
    let calls = 0;
    const { findings } = await verify({ depth: QUICK, now: () => new Date(NOW + (calls++ === 0 ? 0 : days * DAY_MS)) });
    expect(findings).toEqual([expect.objectContaining({ kind: "clock-wrong", severity: "warning", where: "clock" })]);
    expect(findings[0]?.what).toMatch(what);
  },
);

test("a backup that was taken while clocks contradicted each other says so", async () => {
  const clockDoubts = ["the server's clock was 3 days ahead"];
  const record = await requireBackupRecord(repository.store, SAMPLE_LABEL);
  await replaceObject(repository.store, backupKey(SAMPLE_LABEL, "backup.json"), () =>
    formatRecord({ ...record, clockDoubts }),
  );
  expect(await find({ depth: QUICK })).toEqual([warning("clock-wrong", SAMPLE_LABEL)]);
});
