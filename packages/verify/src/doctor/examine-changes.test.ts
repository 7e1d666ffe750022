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
  [{ conditionalPut: "refused" }, { conditionalPut: "ignored" }, "notice", "Nothing has to be done"],
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
    severity === undefined
      ? []
      : [
          expect.objectContaining({
            kind: "provider-changed",
            severity,
            what: expect.stringMatching(/^the provider's (\w+) was \w+ when the repository was made, and is \w+ now$/),
            advice: expect.stringContaining(advice),
          }),
        ],
  );
});

test.each<[RecalledHabits, ProbedHabits]>([
  [{ maxParts: 1_000 }, { conditionalPut: "honoured", maxParts: 1_000 }],
  [{ listingOrder: "other" }, { conditionalPut: "honoured", listingOrder: "other" }],
])("a change that the configuration has already is not told again: %j", async (configured, probed) => {
  const record = { conditionalPut: "honoured", habits: { maxParts: 10_000, listingOrder: "keys" } } as const;
  expect(await examine("repository", (notes) => examineChanges(record, { probed, configured }, notes))).toEqual([]);
});

test("a change is told with what was and what is, also one to something else than what is configured", async () => {
  const record = { conditionalPut: "honoured", habits: { maxParts: 10_000 } } as const;
  const given = { probed: { conditionalPut: "honoured", maxParts: 1_000 }, configured: { maxParts: 5_000 } } as const;
  expect(await examine("repository", (notes) => examineChanges(record, given, notes))).toEqual([
    expect.objectContaining({
      what: "the provider's maxParts was 10000 when the repository was made, and is 1000 now",
    }),
  ]);
});
