import { sampleRecord } from "@soar-tooling/sample-repository";
import type { RestoreReport } from "@soar/restore";
import { expect, test } from "vitest";
import { reportText } from "./restore-report.ts";

const report = (more: Partial<RestoreReport>): RestoreReport => ({
  backup: sampleRecord({}),
  target: { kind: "latest" },
  outcome: { kind: "promoted", timeline: 3 },
  reached: {
    lsn: 0x500_0000n,
    plannedLsn: 0x500_0000n,
    stop: undefined,
    lastCommit: undefined,
    firstLeftOut: undefined,
    leftOutOnDisk: false,
  },
  // None but a restore counts.
  work: { fetched: undefined, fetchMs: 0, replayedFiles: 0, recoverMs: undefined } as unknown as RestoreReport["work"],
  foundThere: undefined,
  checks: undefined,
  paused: undefined,
  dataDir: "/srv/main",
  inPlace: true,
  fenced: false,
  control: { kind: "pg_ctl" },
  logFile: undefined,
  privateDir: undefined,
  startedServices: [],
  localWal: undefined,
  changedSettings: [],
  keptAs: "/srv/main.before-restore-x",
  keptEarlier: undefined,
  savedWal: undefined,
  ...more,
});

test.each([
  [undefined, {}, "nothing that the repository or the old disk held"],
  [
    1,
    {},
    "nothing that the repository or the old disk held of timeline 1; commits of other timelines are not in it, as asked, and stay where they are",
  ],
  [
    1,
    { keptAs: undefined },
    "only what was committed after that and never reached the repository; commits of other timelines are not in it, as asked, and stay where they are",
  ],
])(
  "what is lost by the latest state of timeline %j, %j: no more is promised than that timeline held",
  (timeline, more, lost) => {
    const lines = reportText(report(more), { appServices: [], timeline }).split("\n");
    expect(lines).toContain(`lost:           ${lost}`);
  },
);
