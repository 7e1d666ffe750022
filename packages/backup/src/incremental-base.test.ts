import { createMemoryStore } from "@soar/storage";
import { fillSampleRepository, putSampleBackup } from "@soar-tooling/sample-repository";
import { expect, test } from "vitest";
import { loadBase } from "./incremental-base.ts";

test("an earlier backup with more chunks than can be kept in mind is not referred to, and the next one is full", async () => {
  const store = createMemoryStore();
  await fillSampleRepository(store);
  const base = await putSampleBackup(store, { label: "2025-02-01", first: 3 });
  const choice = { base, references: [base.label], incrementals: 0 };
  const whole = await loadBase(store, choice, {});
  if (whole.reason !== undefined) throw new Error(whole.reason);
  const count = whole.chunks.memberCount;
  expect(count).toBeGreaterThan(1);
  expect(await loadBase(store, choice, { mostMembers: count })).toHaveProperty("index");
  expect(await loadBase(store, choice, { mostMembers: count - 1 })).toEqual({
    reason: `backup 2025-02-01 has more than ${count - 1} chunks`,
  });
});

test("of an earlier backup with more damaged files than its record names nothing is left unread", async () => {
  const store = createMemoryStore();
  await fillSampleRepository(store);
  const chunksOf = async (label: string, omitted: object): Promise<number> => {
    const base = await putSampleBackup(store, {
      label,
      first: 3,
      // As large as files are that are cut into chunks.
      more: { "base/5/16999": Buffer.alloc(2 ** 20) },
      change: (record) => ({ ...record, ...omitted }),
    });
    const loaded = await loadBase(store, { base, references: [label], incrementals: 0 }, {});
    if (loaded.reason !== undefined) throw new Error(loaded.reason);
    return [...loaded.chunks.chunks()].length;
  };
  expect(await chunksOf("2025-02-02", { omitted: { warnings: 5 } })).toBeGreaterThan(0);
  expect(await chunksOf("2025-02-03", { omitted: { damagedPages: 1 } })).toBe(0);
});
