import { createMemoryStore, partSizeFor } from "@soar/storage";
import { expect, test } from "vitest";
import { partsAtOnce } from "./parts-at-once.ts";

const store = createMemoryStore();
const GIB = 1024 ** 3;

test.each([
  [3, 4],
  [220, 4],
  [420, 4],
  [600, 2],
  [750, 2],
  [1024, 1],
  [4000, 1],
])("%i GiB are uploaded %i parts at a time", (gib, parallel) => {
  expect(partsAtOnce(gib * GIB, store)).toBe(parallel);
});

test("parts and the one that is being filled stay within what a backup may use, for as long as two of them do", () => {
  for (let gib = 1; gib < 1150; gib += 7)
    expect((partsAtOnce(gib * GIB, store) + 1) * partSizeFor(gib * GIB, store.features)).toBeLessThanOrEqual(
      240 * 1024 ** 2,
    );
});
