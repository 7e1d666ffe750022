import { claimRepository, requireRepositoryRecord, type ClusterIdentity } from "@soar/repository";
import { openStore, readObject, type ObjectStore } from "@soar/storage";
import { countByOperation, type S3TestServer } from "@soar-tooling/s3-server";
import { expect, test } from "vitest";
import { openS3World } from "./s3-stores.ts";

const identity: ClusterIdentity = {
  systemIdentifier: "7000000000000000001",
  postgresMajor: 15,
  walSegmentSize: 1024 ** 2,
};
const options = { toolVersion: "test", now: new Date("2025-01-05T02:00:00Z") };

/** Of a new process that finds the repository and stores one object. */
async function requestsOfOnePut(server: S3TestServer, store: ObjectStore, key: string): Promise<object> {
  await claimRepository(store, identity, options);
  const before = server.requests.length;
  await store.put(key, Buffer.from("x"), { ifAbsent: true });
  return countByOperation(server.requests.slice(before));
}

test("what the provider did when the repository was made is known to every process: one put is one request", async () => {
  await using world = await openS3World("minio");
  const { server, store, second } = world;
  await claimRepository(store, identity, options);
  expect(await requireRepositoryRecord(store)).toMatchObject({
    conditionalPut: "honoured",
    conditionalPutBy: new URL(server.endpoint).host,
  });
  expect(second.features.conditionalPut).toBe("unknown");
  expect(await requestsOfOnePut(server, second, "wal/a")).toEqual({ PutObject: 1 });
  await expect(second.put("wal/a", Buffer.from("y"), { ifAbsent: true })).rejects.toMatchObject({
    code: "OBJECT_EXISTS",
  });
});

test("a copy of the repository with another provider, which ignores conditions, is written to with a look before and after", async () => {
  await using world = await openS3World("minio");
  await using elsewhere = await openS3World("ignores-conditions");
  await claimRepository(world.store, identity, options);
  await elsewhere.store.put("config/backup-config.json", await readObject(world.store, "config/backup-config.json"));
  expect(await requestsOfOnePut(elsewhere.server, elsewhere.second, "wal/a")).toEqual({ HeadObject: 2, PutObject: 1 });
  await expect(elsewhere.second.put("wal/a", Buffer.from("y"), { ifAbsent: true })).rejects.toMatchObject({
    code: "OBJECT_EXISTS",
  });
  expect(String(await readObject(elsewhere.store, "wal/a"))).toBe("x");
});

test("what the server itself has shown since counts more than what is remembered", async () => {
  await using world = await openS3World("minio");
  const { server } = world;
  const store = openStore({
    url: `s3://${server.bucket}/cluster1`,
    endpoint: server.endpoint,
    region: server.region,
    credentials: server,
    habits: { conditionalPut: "ignored" },
    retry: false,
  });
  store.features.recall({ conditionalPut: "honoured" });
  expect(store.features.conditionalPut).toBe("ignored");
  await store.close();
});
