import type { ProbedHabits, RecalledHabits } from "@soar/storage/probes";
import { expect, test } from "vitest";
import { examine } from "./examination.ts";
import { examineChanges } from "./examine-changes.ts";

test.each<[ProbedHabits, ProbedHabits, string | undefined, string]>([
  [{ conditionalPut: "honoured" }, { conditionalPut: "ignored" }, "error", "let only one host write"],
  [{ conditionalPut: "honoured", atomicPut: "yes" }, { conditionalPut: "honoured", atomicPut: "no" }, "error", "host"],
  [{ conditionalPut: "refused" }, { conditionalPut: "honoured" }, "notice", "Nothing has to be done"],
  [
    { conditionalPut: "honoured", listingOrder: "keys" },
    { conditionalPut: "honoured", listingOrder: "other" },
    "error",
    "BACKUP_LISTING_ORDER=other",
  ],
  [
    { conditionalPut: "honoured", listingOrder: "other" },
    { conditionalPut: "honoured", listingOrder: "keys" },
    "notice",
    "Nothing has to be done",
  ],
  [{ conditionalPut: "honoured" }, { conditionalPut: "honoured", listingOrder: "keys" }, undefined, ""],
  [
    { conditionalPut: "honoured", maxParts: 10_000 },
    { conditionalPut: "honoured", maxParts: 1_000 },
    "error",
    "BACKUP_MAX_PARTS=1000",
  ],
  [
    { conditionalPut: "honoured", maxParts: 1_000 },
    { conditionalPut: "honoured", maxParts: 10_000 },
    "notice",
    "Nothing has to be done",
  ],
])("a provider that was %j and is %j now is told of as %s", async (was, now, severity, advice) => {
  const { conditionalPut, ...habits } = was;
  const record = { conditionalPut, habits } as Parameters<typeof examineChanges>[0];
  expect(await examine("repository", (notes) => examineChanges(record, { probed: now }, notes))).toEqual(
    severity === undefined ? [] : [expect.objectContaining({ severity, advice: expect.stringContaining(advice) })],
  );
});

test.each<[RecalledHabits, ProbedHabits]>([
  [{ maxParts: 1_000 }, { conditionalPut: "honoured", maxParts: 1_000 }],
  [{ listingOrder: "other" }, { conditionalPut: "honoured", listingOrder: "other" }],
])("a change that the configuration has already is not told again: %j", async (configured, probed) => {
  const record = { conditionalPut: "honoured", habits: { maxParts: 10_000, listingOrder: "keys" } } as const;
  expect(await examine("repository", (notes) => examineChanges(record, { probed, configured }, notes))).toEqual([]);
});
