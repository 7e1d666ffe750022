import { createMemoryStore, withPrefix, type ObjectStore } from "@soar/storage";
import { withFault } from "@soar/storage/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { CLAIM, CLUSTER } from "../../test/sample-repository.ts";
import { CONFIG_KEY } from "./keys.ts";
import {
  createRepositoryRecord,
  findRepositoryRecord,
  holdsRepository,
  requireRepositoryRecord,
  requireSameCluster,
} from "./repository-record.ts";

let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore({ name: "m" });
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
  ])("with %s is refused", async (_, change, code) => {
    const record = {
      format: 1,
      ...CLUSTER,
      conditionalPut: "honoured",
      createdAt: "2025-01-05T02:00:00.000Z",
      createdBy: "x",
      ...change,
    };
    await store.put(CONFIG_KEY, Buffer.from(JSON.stringify(record)));
    await expect(findRepositoryRecord(store)).rejects.toMatchObject({ code });
  });
});

test("another repository below a prefix is known by its record, one of a newer format too", async () => {
  expect(await holdsRepository(store, "cluster2")).toBe(false);
  await createRepositoryRecord(withPrefix(store, "cluster2"), CLUSTER, CLAIM);
  expect(await holdsRepository(store, "cluster2")).toBe(true);
  await store.put(`newer/${CONFIG_KEY}`, Buffer.from('{"format": 2}'));
  expect(await holdsRepository(store, "newer")).toBe(true);
  await store.put(`other/${CONFIG_KEY}`, Buffer.from("{}"));
  expect(await holdsRepository(store, "other")).toBe(false);
  const broken = withFault(store, { atCall: 1, when: "before" });
  await expect(holdsRepository(broken, "cluster2")).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
});

test("the same cluster passes after a minor upgrade", async () => {
  const record = await createRepositoryRecord(store, CLUSTER, CLAIM);
  expect(() => requireSameCluster(record, { ...CLUSTER }, "x")).not.toThrow();
});
