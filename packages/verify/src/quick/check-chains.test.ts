import { sampleRecord, segmentName } from "@soar-tooling/sample-repository";
import { expect, test } from "vitest";
import { checkChains } from "./check-chains.ts";

test.each([
  ["0/9000100", `it needs ${segmentName(9)}, which is not there`],
  ["0/A000100", `it needs ${segmentName(9)} to ${segmentName(10)}, and from ${segmentName(9)} on not all is there`],
])(
  "a backup until %s whose WAL ends before it is told what is not there, and nothing that contradicts it",
  (stopLsn, what) => {
    const backup = sampleRecord({ walSegmentSize: 16 * 1024 * 1024, startLsn: "0/9000028", stopLsn });
    const findings = checkChains({
      backups: [backup],
      histories: [{ timeline: 1, entries: [] }],
      inventories: new Map([[1, { timeline: 1, segments: new Map() }]]),
      expired: [],
      gaps: [],
    });
    expect(findings).toMatchObject([{ kind: "backup-inconsistent", what: `it cannot be made consistent: ${what}` }]);
  },
);
