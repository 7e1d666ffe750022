import { SoarError } from "@soar/errors";
import { createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import { withFault } from "@soar/storage/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { keysOf } from "../../test/wal-samples.ts";
import {
  claimLabel,
  findGap,
  findStarted,
  listGaps,
  listLeases,
  putGap,
  putKeep,
  putLease,
  type GapRecord,
  type LeaseRecord,
  type StartedRecord,
} from "./marker-records.ts";

const started: StartedRecord = {
  format: 1,
  label: "2025-01-05",
  host: "db1",
  processId: 7,
  startedAt: "2025-01-05T02:00:00.000Z",
  deadline: "2025-01-06T02:00:00.000Z",
  references: ["2025-01-01"],
};
const lease: LeaseRecord = {
  format: 1,
  id: "l1",
  purpose: "restore",
  host: "db1",
  labels: ["2025-01-05"],
  walFrom: "000000010000000000000001",
  startedAt: "2025-01-05T02:00:00.000Z",
  expiresAt: "2025-01-05T03:00:00.000Z",
};
const gap: GapRecord = {
  format: 1,
  from: "000000010000000000000001",
  to: "000000010000000000000003",
  declaredBy: "ann",
  declaredAt: "2025-01-05T02:00:00.000Z",
  reason: "disk was full",
};
let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore();
});

describe("a label", () => {
  test("is claimed once, and the record is read as it was written", async () => {
    expect(await claimLabel(store, started)).toBe(true);
    expect(await findStarted(store, started.label)).toEqual(started);
  });

  test.each<Partial<StartedRecord>>([{ host: "db2" }, { processId: 8 }, { startedAt: "2025-01-05T02:00:00.001Z" }])(
    "is not given to a second run (%j)",
    async (other) => {
      await claimLabel(store, started);
      expect(await claimLabel(store, { ...started, ...other })).toBe(false);
      expect(await findStarted(store, started.label)).toEqual(started);
    },
  );

  test("is claimed although the reply to the put was lost and the put repeated", async () => {
    await claimLabel(store, started);
    expect(await claimLabel(store, started)).toBe(true);
  });

  test("is not claimed when the other's record has gone meanwhile: the next run looks again", async () => {
    await claimLabel(store, started);
    expect(await claimLabel({ ...store, stat: async () => undefined }, started)).toBe(false);
  });

  test("is given to one of two at once", async () => {
    const claims = await Promise.all([7, 8].map((processId) => claimLabel(store, { ...started, processId })));
    expect(claims.filter(Boolean)).toHaveLength(1);
  });

  test("that cannot be written is an error", async () => {
    await expect(claimLabel(withFault(store, { atCall: 1, when: "before" }), started)).rejects.toMatchObject({
      code: "STORE_UNREACHABLE",
    });
  });
});

test("a pin is put beside its backup, and no second one over it", async () => {
  await putKeep(store, "2025-01-05", { format: 1, reason: "audit", keptAt: "2025-01-05T02:00:00.000Z" });
  expect(JSON.parse((await readObject(store, "base/2025-01-05/keep.json")).toString())).toMatchObject({
    format: 1,
    reason: "audit",
  });
  await expect(
    putKeep(store, "2025-01-05", { format: 1, reason: "x", keptAt: "2025-01-05T02:00:00.000Z" }),
  ).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
});

describe("leases and gaps", () => {
  test("are read as they were written", async () => {
    await putLease(store, lease);
    await putLease(store, { ...lease, id: "l2", purpose: "drill", walFrom: undefined });
    await putGap(store, gap);
    expect((await listLeases(store)).map(({ id, purpose }) => [id, purpose])).toEqual([
      ["l1", "restore"],
      ["l2", "drill"],
    ]);
    expect(await listLeases(store)).toContainEqual(lease);
    expect(await listGaps(store)).toEqual([gap]);
    expect(await findGap(store, gap)).toEqual(gap);
    expect(await findGap(store, { from: gap.from, to: gap.from })).toBeUndefined();
    expect(await keysOf(store)).toEqual([
      `config/gaps/${gap.from}-${gap.to}.json`,
      "config/leases/l1.json",
      "config/leases/l2.json",
    ]);
  });

  test("that go between listing and reading are passed over", async () => {
    await putLease(store, lease);
    expect(await listLeases({ ...store, stat: async () => undefined })).toEqual([]);
    // A view of the store that remembers a listing says that they are there.
    const gone = () => Promise.reject(new SoarError("OBJECT_MISSING", "there is no such object"));
    expect(await listLeases({ ...store, get: gone })).toEqual([]);
  });

  test("of a newer format or damaged are an error: expiry must not take them for none", async () => {
    await store.put("config/leases/a.json", Buffer.from(JSON.stringify({ ...lease, format: 2 })));
    await expect(listLeases(store)).rejects.toMatchObject({ code: "REPOSITORY_VERSION" });
    await store.put("config/gaps/a-b.json", Buffer.from("{"));
    await expect(listGaps(store)).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
  });
});
