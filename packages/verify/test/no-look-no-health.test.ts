import { SoarError } from "@soar/errors";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { withFault } from "@soar/storage/testing";
import { keysOf, replaceObject, SAMPLE_LABEL as LABEL, segmentKey } from "@soar-tooling/sample-repository";
import { describe, expect, test } from "vitest";
import { flip, useSampleRepository } from "./sample-repository.fixture.ts";

const { find, repository, verify } = useSampleRepository();

describe("what cannot be looked at is no health", () => {
  test("no repository is an error", async () => {
    await expect(verify({}, createMemoryStore())).rejects.toMatchObject({ code: "REPOSITORY_MISSING" });
  });

  test("a label that is not there is an error", async () => {
    await expect(find({ labels: ["2025-01-09"] })).rejects.toMatchObject({
      code: "BACKUP_MISSING",
      hint: `There are: ${LABEL}.`,
    });
  });

  test("a store that fails at any call ends the verification, never with a report", async () => {
    const rehearsal = withFault(repository.store);
    await verify({ jobs: 1 }, rehearsal);
    // The last one gives the lease back, which lapses by itself.
    for (let atCall = 1; atCall < rehearsal.calls; atCall += 1) {
      await expect(
        verify({ jobs: 1 }, withFault(repository.store, { atCall, when: "before" })),
        `call ${atCall}`,
      ).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    }
  });

  test.each(["STORE_DENIED", "OBJECT_ARCHIVED", "CLOCK_SKEWED"] as const)("%s is no finding", async (code) => {
    const locked: ObjectStore = {
      ...repository.store,
      get: async (key, options) =>
        key.startsWith("wal/0000000100")
          ? Promise.reject(new SoarError(code, "no"))
          : repository.store.get(key, options),
    };
    await expect(verify({}, locked)).rejects.toMatchObject({ code });
  });

  test("an abort ends it", async () => {
    await expect(verify({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("a segment that goes between the listing and the reading is not counted as read, nor remembered", async () => {
    const key = segmentKey(5);
    const gone: ObjectStore = {
      ...repository.store,
      get: async (asked, options) =>
        asked === key
          ? Promise.reject(new SoarError("OBJECT_MISSING", `'${key}' is not there`))
          : repository.store.get(asked, options),
    };
    const whole = await verify();
    const report = await verify({}, gone);
    expect(whole.units.read).toContain(key);
    expect(report.wal).toEqual({ ...whole.wal, read: whole.wal.read - 1 });
    expect(report.units.read).not.toContain(key);
    expect(report.unreadSince).toBeDefined();
  });

  test("a backup of which nothing tells what lies where is not remembered as read", async () => {
    await replaceObject(repository.store, `base/${LABEL}/index.zst`, flip(20));
    const { units, backups, unreadSince } = await verify();
    expect(units.read.filter((name) => name.includes("#"))).toEqual([]);
    expect(backups).toMatchObject([{ read: "part" }]);
    expect(unreadSince).toBeDefined();
  });

  test("nothing is ever written or removed", async () => {
    const before = await keysOf(repository.store);
    await find();
    expect(await keysOf(repository.store)).toEqual(before);
  });
});
