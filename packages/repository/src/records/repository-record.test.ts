import { createMemoryStore, withPrefix, type ObjectStore } from "@soar/storage";
import { withFault } from "@soar/storage/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { keysOf } from "../../test/wal-samples.ts";
import { CONFIG_KEY } from "./keys.ts";
import {
  claimRepository,
  findRepositoryRecord,
  holdsRepository,
  requireRepositoryRecord,
  requireSameCluster,
  type ClusterIdentity,
} from "./repository-record.ts";

const identity: ClusterIdentity = {
  systemIdentifier: "7551234567890123456",
  postgresMajor: 15,
  walSegmentSize: 16 * 1024 * 1024,
};
const options = { toolVersion: "soar-wal-archive 1.0", now: new Date("2025-01-05T02:00:00Z") };
let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore({ name: "m" });
});

describe("claiming a repository", () => {
  test("writes its record once, and reads it ever after", async () => {
    const record = await claimRepository(store, identity, options);
    expect(record).toEqual({
      format: 1,
      ...identity,
      conditionalPut: "honoured",
      createdAt: "2025-01-05T02:00:00.000Z",
      createdBy: "soar-wal-archive 1.0",
    });
    expect(await claimRepository(store, identity, { toolVersion: "later", now: new Date() })).toEqual(record);
    expect(await requireRepositoryRecord(store)).toEqual(record);
    expect(await keysOf(store)).toEqual([CONFIG_KEY]);
  });

  test.each<[string, Partial<ClusterIdentity>]>([
    ["system identifier", { systemIdentifier: "7551234567890123457" }],
    ["WAL segment size", { walSegmentSize: 64 * 1024 * 1024 }],
    ["PostgreSQL major version", { postgresMajor: 16 }],
  ])("is refused for another %s, and writes nothing", async (what, other) => {
    await claimRepository(store, identity, options);
    const foreign = { ...identity, ...other };
    await expect(claimRepository(store, foreign, options)).rejects.toMatchObject({
      code: "REPOSITORY_FOREIGN",
      message: expect.stringContaining(`'memory:m' belongs to another cluster: its ${what} is `),
    });
    expect(await keysOf(store)).toEqual([CONFIG_KEY]);
  });

  test("by two at once is right for the same cluster and refused for the loser of two", async () => {
    const outcomes = async (second: ClusterIdentity) => {
      store = createMemoryStore();
      return Promise.allSettled([claimRepository(store, identity, options), claimRepository(store, second, options)]);
    };
    expect((await outcomes(identity)).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
    const mixed = await outcomes({ ...identity, systemIdentifier: "1" });
    expect(mixed.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(mixed.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "REPOSITORY_FOREIGN" } });
  });

  test("is cut at any call, and completed by the next try", async () => {
    const rehearsal = withFault(createMemoryStore());
    await claimRepository(rehearsal, identity, options);
    for (let atCall = 1; atCall <= rehearsal.calls; atCall += 1) {
      for (const when of ["before", "after"] as const) {
        store = createMemoryStore();
        const code = await claimRepository(withFault(store, { atCall, when }), identity, options).then(
          () => "claimed",
          (error: { code?: string }) => error.code,
        );
        // The probe's second put is to fail: that it failed in another way does not matter.
        expect(["STORE_UNREACHABLE", "claimed"]).toContain(code);
        if (code === "claimed") expect(await requireRepositoryRecord(store)).toMatchObject(identity);
        expect(await claimRepository(store, identity, options)).toMatchObject(identity);
      }
    }
  });

  test("without the right to look into the bucket fails, instead of taking it for empty", async () => {
    const denied: ObjectStore = {
      ...store,
      stat: async () => Promise.reject(Object.assign(new Error("denied"), { code: "STORE_DENIED" })),
    };
    await expect(claimRepository(denied, identity, options)).rejects.toMatchObject({ code: "STORE_DENIED" });
    expect(await keysOf(store)).toEqual([]);
  });

  test("whose store cannot tell what it does with a condition assumes the worst", async () => {
    const blunt: ObjectStore = {
      ...store,
      put: async (key, body, put) => store.put(key, body, put?.ifAbsent === "by-server" ? {} : put),
    };
    expect(await claimRepository(blunt, identity, options)).toMatchObject({ conditionalPut: "ignored" });
  });
});

describe("a repository's record", () => {
  test("that is not there is undefined, or a named error", async () => {
    expect(await findRepositoryRecord(store)).toBeUndefined();
    await expect(requireRepositoryRecord(store)).rejects.toMatchObject({
      code: "REPOSITORY_MISSING",
      message: "there is no repository in 'memory:m'",
    });
  });

  test.each(["base/2025-01-05/backup.json", "wal/000000010000000000000001.zst"])(
    "that is lost beside %s is told from a repository that never was, with the way back",
    async (key) => {
      await store.put(key, Buffer.from("x"));
      await expect(requireRepositoryRecord(store)).rejects.toMatchObject({
        code: "REPOSITORY_MISSING",
        message: `'memory:m/${CONFIG_KEY}' is missing, the record of this repository, which holds others, as '${key}'`,
        hint: expect.stringContaining("soar-wal-archive FILE NAME") as string,
      });
    },
  );

  test.each([
    ["a newer format", { format: 2 }, "REPOSITORY_VERSION"],
    ["an old PostgreSQL", { postgresMajor: 14 }, "REPOSITORY_DAMAGED"],
    ["a wrong system identifier", { systemIdentifier: "x" }, "REPOSITORY_DAMAGED"],
    ["another word for conditional puts", { conditionalPut: "maybe" }, "REPOSITORY_DAMAGED"],
  ])("with %s is refused, also by a writer", async (_, change, code) => {
    const record = {
      format: 1,
      ...identity,
      conditionalPut: "honoured",
      createdAt: "2025-01-05T02:00:00.000Z",
      createdBy: "x",
      ...change,
    };
    await store.put(CONFIG_KEY, Buffer.from(JSON.stringify(record)));
    await expect(findRepositoryRecord(store)).rejects.toMatchObject({ code });
    await expect(claimRepository(store, identity, options)).rejects.toMatchObject({ code });
  });
});

test("another repository below a prefix is known by its record, one of a newer format too", async () => {
  expect(await holdsRepository(store, "cluster2")).toBe(false);
  await claimRepository(withPrefix(store, "cluster2"), identity, options);
  expect(await holdsRepository(store, "cluster2")).toBe(true);
  await store.put(`newer/${CONFIG_KEY}`, Buffer.from('{"format": 2}'));
  expect(await holdsRepository(store, "newer")).toBe(true);
  await store.put(`other/${CONFIG_KEY}`, Buffer.from("{}"));
  expect(await holdsRepository(store, "other")).toBe(false);
  const broken = withFault(store, { atCall: 1, when: "before" });
  await expect(holdsRepository(broken, "cluster2")).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
});

test("the same cluster passes after a minor upgrade", async () => {
  const record = await claimRepository(store, identity, options);
  expect(() => requireSameCluster(record, { ...identity }, "x")).not.toThrow();
});
