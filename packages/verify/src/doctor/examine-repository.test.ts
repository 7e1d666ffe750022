import { fillSampleRepository, segmentKey } from "@soar-tooling/sample-repository";
import { createMemoryStore } from "@soar/storage";
import { expect, test } from "vitest";
import { examineRepository } from "./examine-repository.ts";

test("what can be restored is told, also of a timeline that has no WAL of its own yet", async () => {
  const now = new Date("2025-01-06T04:00:00Z");
  const store = createMemoryStore({ now: () => now });
  await fillSampleRepository(store);
  const policy = { windowDays: 35, minimumBackups: 1 };
  const window = async (): Promise<readonly string[]> => {
    const told: string[] = [];
    const ignored = (): void => undefined;
    await examineRepository(
      store,
      { cluster: undefined, policy, probe: undefined, store: {}, now, signal: undefined },
      {
        ok: (kind, what) => void (kind === "window" && told.push(what)),
        notice: ignored,
        warning: ignored,
        error: ignored,
      },
    );
    return told;
  };
  expect(await window()).toEqual([expect.stringMatching(/^every instant from \S+ (?:on|to \S+) can be restored$/)]);
  await store.remove([6, 7, 8].map((index) => segmentKey(index, 2)));
  expect(await window()).toEqual([
    expect.stringMatching(
      /^every instant from \S+ .*can be restored, on timeline 1; of timeline 2 no WAL is stored yet$/,
    ),
  ]);
});
