import { sampleRecord, segmentName, SEGMENT_SIZE } from "@soar-tooling/sample-repository";
import { createMemoryStore } from "@soar/storage";
import { expect, test } from "vitest";
import { resolveTarget } from "./resolve-target.ts";
import { createDescriptions } from "./segment-descriptions.ts";

test("a backup of several segments of which only the first is there names the one that is not", async () => {
  const store = createMemoryStore();
  const backup = sampleRecord({ firstSegment: segmentName(3), lastSegment: segmentName(4) });
  const name = segmentName(3);
  const object = { name, key: `wal/${name}`, codec: "none", size: SEGMENT_SIZE } as const;
  const chain = {
    history: { timeline: 1, entries: [] },
    segmentSize: SEGMENT_SIZE,
    segments: [{ index: 3, timeline: 1, name, object, cutLsn: undefined, tail: undefined }],
    endIndex: 4,
    holes: [],
    lastIndex: 3,
  };
  const descriptions = createDescriptions(store, {});
  await expect(resolveTarget(store, { target: { kind: "latest" }, backup, chain, descriptions })).rejects.toMatchObject(
    {
      code: "WAL_MISSING",
      message: expect.stringContaining(`WAL segment '${segmentName(4)}' is not in the bucket`) as string,
    },
  );
});
