import { readObject, withPrefix, withRetry } from "@soar/storage";
import { probeServer, type ServerHabits } from "@soar/storage/probes";
import type { S3Profile } from "@soar-tooling/s3-server";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { expectRejection, keysOf } from "./expect-rejection.ts";
import { openDriverOn, openS3ForTest, TEST_PART_SIZE } from "./s3-fixture.ts";

const MINE = Buffer.from("my bytes");
const THEIRS = Buffer.from("bytes of another writer");

describe("probeServer", () => {
  const decided = { conditionalPut: "honoured", atomicPut: "yes", conditionalComplete: "honoured" } as const;
  test.each<[S3Profile, Partial<ServerHabits>]>([
    ["aws", { ...decided, maxParts: 10_000, listingOrder: "keys" }],
    ["ceph-20", { ...decided, maxParts: 10_000, listingOrder: "keys" }],
    ["ceph-18", { ...decided, conditionalComplete: "ignored" }],
    ["ceph-16", { ...decided, conditionalComplete: "ignored" }],
    ["swift-2.38", { ...decided, atomicPut: "no", maxParts: 1_000 }],
    ["swift-2.35", { conditionalPut: "refused", conditionalComplete: "honoured", maxParts: 1_000 }],
    ["moto-5.1", { ...decided, conditionalComplete: "ignored" }],
    ["moto-5.2", decided],
    ["b2", { conditionalPut: "refused", conditionalComplete: "refused" }],
    ["ignores-conditions", { conditionalPut: "ignored", conditionalComplete: "ignored" }],
    ["google", { batchDelete: "refused" }],
    ["signed-payload", { ...decided, payloadSignature: "sha256" }],
    ["no-md5", { ...decided, contentMd5: "refused" }],
    ["refuses-expect", { ...decided, expectContinue: "refused" }],
    ["ignores-expect", { ...decided, expectContinue: "ignored" }],
    ["unordered-listing", { ...decided, listingOrder: "other" }],
    ["listed-by-directory", { ...decided, listingOrder: "other" }],
    ["scaleway", { maxParts: 1_000 }],
  ])("finds out about a server like %s, and leaves nothing", async (profile, expected) => {
    const { store, cleanUp } = await openS3ForTest(profile);
    const through = withPrefix(withRetry(store, { baseDelayMs: 1 }), "cluster1");
    expect(await probeServer(through, "config/probe/")).toMatchObject(expected);
    expect(through.features).toMatchObject(
      Object.fromEntries(Object.entries(expected).filter(([habit]) => habit in through.features)),
    );
    expect(await keysOf(store.list(""))).toEqual([]);
    expect(await store.listUploads("")).toEqual([]);
    await cleanUp();
  });

  test("what it found is believed by another process, which then needs no look before and after a put", async () => {
    const { store, server, cleanUp } = await openS3ForTest("minio");
    const habits = await probeServer(store, "config/probe/");
    const other = openDriverOn(server);
    other.features.recall(habits);
    server.requests.splice(0);
    await other.put("a", MINE, { ifAbsent: true });
    expect(server.requests.map(({ operation }) => operation)).toEqual(["PutObject"]);
    await other.close();
    await cleanUp();
  });

  test.each([
    ["that leave an object out", { type: "early-end" }],
    ["that do not say where they go on", { type: "no-continuation-token" }],
  ] as const)("refuses a server with listings %s, before anything relies on them", async (_name, fault) => {
    const { store, server, cleanUp } = await openS3ForTest("minio");
    server.inject({ operation: "ListObjectsV2", skip: 1, times: "always", fault });
    await expectRejection(probeServer(store, "config/probe/"), "STORE_PROTOCOL");
    await cleanUp();
  });

  test("finds an order of its own that another store of this process has found before", async () => {
    const { store, server, cleanUp } = await openS3ForTest("unordered-listing");
    for (const key of ["a", "b", "c", "d"]) await store.put(key, MINE);
    await keysOf(store.list(""));
    const other = openDriverOn(server);
    expect(await probeServer(other, "config/probe/")).toMatchObject({ listingOrder: "other" });
    await other.close();
    await cleanUp();
  });

  test("fails where the server is in trouble, so that it is asked again", async () => {
    const { store, server, cleanUp } = await openS3ForTest("minio");
    server.inject({ operation: "CompleteMultipartUpload", fault: { type: "busy" } });
    await expectRejection(probeServer(store, "config/probe/"), "STORE_BUSY");
    await cleanUp();
  });

  test.each(["s3:AbortMultipartUpload", "s3:DeleteObject"])("goes on with a key without %s", async (denied) => {
    const { store, cleanUp } = await openS3ForTest("minio", {
      server: { credentials: { accessKeyId: "W", secretAccessKey: "writer-secret", deny: [denied] } },
    });
    expect(await probeServer(store, "config/probe/")).toMatchObject({ atomicPut: "yes", maxParts: 10_000 });
    await cleanUp();
  });

  test.each<[S3Profile, Partial<ServerHabits>]>([
    ["minio", { conditionalComplete: "honoured", maxParts: 10_000 }],
    ["b2", { conditionalComplete: "refused" }],
    ["ceph-16", { conditionalComplete: "ignored", maxParts: 10_000 }],
  ])(
    "leaves its uploads on a server like %s once, and not each time, with a key without s3:AbortMultipartUpload",
    async (profile, found) => {
      onTestFinished(() => void vi.useRealTimers());
      const keys = { accessKeyId: "W", secretAccessKey: "writer-secret" };
      const s3 = await openS3ForTest(profile, {
        server: { credentials: { ...keys, deny: ["s3:AbortMultipartUpload"] } },
      });
      const { store, server, cleanUp } = s3;
      expect(await probeServer(store, "config/probe/")).toMatchObject(found);
      const left = await store.listUploads("");
      expect(left).not.toEqual([]);
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 60 * 60_000 });
      const { conditionalComplete } = found;
      // The same process still knows; another one asks what it can.
      expect(await probeServer(store, "config/probe/")).toMatchObject({ conditionalComplete });
      const other = openDriverOn(server);
      expect(await probeServer(other, "config/probe/")).toMatchObject({ conditionalPut: expect.anything() as string });
      expect(await store.listUploads("")).toEqual(left);
      await other.close();
      await cleanUp();
    },
  );

  test("ends what an earlier probe had to leave, as soon as the key may", async () => {
    onTestFinished(() => void vi.useRealTimers());
    const { store, server, cleanUp } = await openS3ForTest("minio");
    server.inject({ operation: "AbortMultipartUpload", times: 2, fault: { type: "error", code: "AccessDenied" } });
    await probeServer(store, "config/probe/");
    expect(await store.listUploads("")).toHaveLength(2);
    await probeServer(store, "config/probe/");
    expect(await store.listUploads(""), "another's, which may be at it").toHaveLength(2);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 60 * 60_000 });
    expect(await probeServer(store, "config/probe/")).toMatchObject({ maxParts: 10_000 });
    expect(await store.listUploads("")).toEqual([]);
    await cleanUp();
  });

  test("is right when answers are lost on the way", async () => {
    for (let skip = 0; skip < 8; skip += 1) {
      const { store, server, cleanUp } = await openS3ForTest("swift-2.38");
      server.inject({ operation: ["PutObject", "CompleteMultipartUpload"], skip, fault: { type: "lost-reply" } });
      const found = await probeServer(withRetry(store, { baseDelayMs: 1 }), "config/probe/");
      expect(found.atomicPut).not.toBe("yes");
      await cleanUp();
    }
  });
});

describe("two writers of one segment", () => {
  /** The first one's put begins, the second one's comes and goes, the first one's ends. */
  async function race(profile: S3Profile, habits: Partial<ServerHabits> = {}) {
    const s3 = await openS3ForTest(profile);
    const second = openDriverOn(s3.server);
    for (const store of [s3.store, second]) store.features.recall({ conditionalPut: "honoured", ...habits });
    const first = s3.store.put("wal/1", MINE, {
      ifAbsent: true,
      whenBegun: async () => void (await second.put("wal/1", THEIRS, { ifAbsent: true })),
    });
    const outcome = await first.then(
      () => "stored",
      (error: unknown) => (error as { code: string }).code,
    );
    const stored = String(await readObject(s3.store, "wal/1"));
    await second.close();
    await s3.cleanUp();
    return { outcome, stored };
  }

  test.each<[S3Profile, Partial<ServerHabits>]>([
    ["swift-2.38", { atomicPut: "no" }],
    // As an older repository's record says it: honoured, and nothing about overlaps.
    ["swift-2.38", {}],
    ["ceph-20", {}],
    ["minio", { atomicPut: "yes" }],
  ])(
    "whose puts overlap on a server like %s (%o) are not both told that their bytes are there",
    async (profile, habits) => {
      expect(await race(profile, habits)).toEqual({ outcome: "OBJECT_EXISTS", stored: String(THEIRS) });
    },
  );

  test.each<S3Profile>(["ceph-16", "ceph-18", "moto-5.1"])(
    "in parts: the second is refused on a server like %s, which honours conditions of puts only",
    async (profile) => {
      const { store, cleanUp } = await openS3ForTest(profile);
      store.features.recall({ conditionalPut: "honoured", atomicPut: "yes" });
      const upload = await store.beginMultipart("wal/1", { partSize: TEST_PART_SIZE, ifAbsent: true });
      await upload.putPart(1, MINE);
      await store.put("wal/1", THEIRS, { ifAbsent: true });
      await expectRejection(upload.complete(), "OBJECT_EXISTS");
      await upload.abort();
      expect(String(await readObject(store, "wal/1"))).toBe(String(THEIRS));
      await cleanUp();
    },
  );

  test("in parts that end at the same moment are found out by the look afterwards", async () => {
    const { store, server, cleanUp } = await openS3ForTest("ceph-18");
    const upload = await store.beginMultipart("wal/1", { partSize: TEST_PART_SIZE, ifAbsent: true });
    await upload.putPart(1, MINE);
    // The look before and the completion pass; the other writer comes before the look afterwards.
    const stall = server.inject({ operation: "HeadObject", skip: 1, fault: { type: "stall" } });
    const completing = upload.complete();
    await stall.firstHit;
    await store.put("wal/1", THEIRS);
    stall.release();
    await expectRejection(completing, "OBJECT_EXISTS");
    await cleanUp();
  });
});
