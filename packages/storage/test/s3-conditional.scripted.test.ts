import { type ObjectStore, readObject, type StoredObject, uploadStream, withRetry } from "@soar/storage";
import { probeConditionalPut } from "@soar/storage/probes";
import type { S3Profile } from "@soar-tooling/s3-server";
import { describe, expect, test } from "vitest";
import { keysOf, expectRejection } from "./expect-rejection.ts";
import { openDriverOn, openS3ForTest, TEST_PART_SIZE } from "./s3-fixture.ts";
import { errorReply, openScripted } from "./scripted-server.ts";

const MINE = Buffer.from("my bytes");
const THEIRS = Buffer.from("the bytes of another writer");

describe("probeConditionalPut", () => {
  test.each<[S3Profile, string]>([
    ["aws", "honoured"],
    ["b2", "refused"],
    ["wasabi", "ignored"],
    ["r2", "honoured"],
    ["ignores-conditions", "ignored"],
    ["refuses-conditions", "refused"],
  ])("finds that a server like %s has it %s, and leaves nothing", async (profile, expected) => {
    const { store, cleanUp } = await openS3ForTest(profile);
    expect(await probeConditionalPut(store, "config/")).toBe(expected);
    expect(await keysOf(store.list(""))).toEqual([]);
    await cleanUp();
  });

  test("is right when an answer is lost and the call is repeated", async () => {
    const { store, server, cleanUp } = await openS3ForTest("aws");
    server.inject({ operation: "PutObject", fault: { type: "lost-reply" } });
    expect(await probeConditionalPut(withRetry(store, { baseDelayMs: 1 }), "config/")).toBe("honoured");
    await cleanUp();
  });

  test("leaves its object where the key may not remove anything", async () => {
    const { server, store, cleanUp } = await openS3ForTest("aws", {
      server: { credentials: { accessKeyId: "W", secretAccessKey: "writer-secret", deny: ["s3:Delete*"] } },
    });
    expect(await probeConditionalPut(store, "config/")).toBe("honoured");
    expect(server.objects().size).toBe(1);
    await cleanUp();
  });
});

describe("a server that refuses conditions", () => {
  test("is found out once, reported, and worked with", async () => {
    const { store, server, events, cleanUp } = await openS3ForTest("refuses-conditions");
    await store.put("a", MINE, { ifAbsent: true });
    expect(store.features.conditionalPut).toBe("refused");
    expect(events.filter(({ type }) => type !== "request")).toEqual([
      {
        type: "habit-learned",
        habit: "conditionalPut",
        way: "refused",
        fact: expect.stringContaining("not implemented"),
        text: "'only if absent' of a put is refused",
      },
    ]);
    server.requests.splice(0);
    await store.put("b", MINE, { ifAbsent: true });
    expect(server.requests.filter(({ headers }) => headers["if-none-match"] !== undefined)).toEqual([]);
    await expectRejection(store.put("a", THEIRS, { ifAbsent: true }), "OBJECT_EXISTS");
    expect(await readObject(store, "a")).toEqual(MINE);
    await cleanUp();
  });

  test("cannot decide by itself, and says so", async () => {
    const { store, cleanUp } = await openS3ForTest("b2");
    await expectRejection(store.put("a", MINE, { ifAbsent: "by-server" }), "STORE_UNSUPPORTED");
    await cleanUp();
  });

  test.each([
    [400, "InvalidArgument", "Unsupported header If-None-Match"],
    [500, "NotImplemented", "A header you provided implies functionality that is not implemented"],
  ])("may say so with %i %s: %s", async (status, code, message) => {
    const headers = {
      etag: '"mark"',
      "last-modified": "Sun, 05 Jan 2025 12:00:00 GMT",
      "content-length": String(MINE.byteLength),
    };
    const stored = { headers: { etag: '"mark"' } };
    await using scripted = await openScripted([
      { status: 404 },
      { status: 200 },
      errorReply(status, code, message),
      stored,
      { headers },
    ]);
    await scripted.store.put("a", MINE, { ifAbsent: true });
    expect(scripted.store.features.conditionalPut).toBe("refused");
    expect(scripted.requests.map((request) => request.split(" ")[0])).toEqual(["HEAD", "HEAD", "PUT", "PUT", "HEAD"]);
  });
});

describe("a server that ignores conditions", () => {
  test("overwrites nothing that is there before, because it is looked at first", async () => {
    const { store, server, cleanUp } = await openS3ForTest("ignores-conditions");
    await store.put("a", THEIRS);
    server.requests.splice(0);
    await expectRejection(store.put("a", MINE, { ifAbsent: true }), "OBJECT_EXISTS");
    expect(server.requests.map(({ operation }) => operation)).toEqual(["HeadObject"]);
    await cleanUp();
  });

  test("cannot hide another writer who came after: the comparison finds it", async () => {
    const { store, server, cleanUp } = await openS3ForTest("ignores-conditions");
    const other = openDriverOn(server);
    // The first look and the write pass; the other writer comes before the second look.
    const stall = server.inject({ operation: "HeadObject", skip: 1, fault: { type: "stall" } });
    const putting = store.put("a", MINE, { ifAbsent: true });
    await stall.firstHit;
    await other.put("a", THEIRS);
    stall.release();
    await expectRejection(putting, "OBJECT_EXISTS");
    await other.close();
    await cleanUp();
  });
});

describe("a server that gives no marks", () => {
  const facts = { "last-modified": "Sun, 05 Jan 2025 12:00:00 GMT", "content-length": String(MINE.byteLength) };

  test.each([
    ["other bytes of the same size are another writer's", Buffer.from("NO BYTES"), "OBJECT_EXISTS"],
    ["the same bytes are its own", MINE, undefined],
  ] as const)("is asked for what it stored: %s", async (_name, body, code) => {
    await using scripted = await openScripted([
      { status: 404 },
      { status: 200 },
      {},
      { headers: facts },
      { headers: facts, body },
    ]);
    const putting = scripted.store.put("a", MINE, { ifAbsent: true });
    if (code === undefined) expect(await putting).toMatchObject({ key: "a", size: MINE.byteLength });
    else await expectRejection(putting, code);
    expect(scripted.requests.map((request) => request.split(" ")[0])).toEqual(["HEAD", "HEAD", "PUT", "HEAD", "GET"]);
  });
});

describe("a server that honours conditions", () => {
  test("is learned from its first refusal", async () => {
    const { store, server, cleanUp } = await openS3ForTest("minio");
    const other = openDriverOn(server);
    expect(store.features.conditionalPut).toBe("unknown");
    const stall = server.inject({ operation: "PutObject", fault: { type: "delay", ms: 0 } });
    await other.put("a", THEIRS);
    expect(stall.hits).toBe(1);
    await expectRejection(store.put("a", MINE, { ifAbsent: "by-server" }), "OBJECT_EXISTS");
    expect(store.features.conditionalPut).toBe("honoured");
    await other.close();
    await cleanUp();
  });

  test("answers OBJECT_EXISTS to the repetition of a put whose answer was lost: callers compare", async () => {
    const { store, server, cleanUp } = await openS3ForTest("aws");
    server.inject({ operation: "PutObject", fault: { type: "lost-reply" } });
    await expectRejection(withRetry(store, { baseDelayMs: 1 }).put("a", MINE, { ifAbsent: true }), "OBJECT_EXISTS");
    expect(await readObject(store, "a")).toEqual(MINE);
    await cleanUp();
  });

  test("and reports a conflict is asked who won: somebody", async () => {
    const { store, server, cleanUp } = await openS3ForTest("aws");
    await store.put("a", THEIRS);
    server.inject({
      operation: "PutObject",
      fault: { type: "error", status: 409, code: "ConditionalRequestConflict" },
    });
    await expectRejection(store.put("a", MINE, { ifAbsent: true }), "OBJECT_EXISTS");
    await cleanUp();
  });

  test("and reports a conflict is asked who won: nobody, so that trying again helps", async () => {
    const { store, server, cleanUp } = await openS3ForTest("aws");
    server.inject({
      operation: "PutObject",
      fault: { type: "error", status: 409, code: "ConditionalRequestConflict" },
    });
    expect((await expectRejection(store.put("a", MINE, { ifAbsent: true }), "STORE_BUSY")).retryable).toBe(true);
    await cleanUp();
  });

  test("and turns out not to is asked first from then on", async () => {
    const { server, cleanUp } = await openS3ForTest("refuses-conditions");
    const store = openDriverOn(server, { habits: { conditionalPut: "honoured" } });
    await store.put("a", MINE, { ifAbsent: true });
    expect(store.features.conditionalPut).toBe("refused");
    await expectRejection(store.put("a", THEIRS, { ifAbsent: true }), "OBJECT_EXISTS");
    await store.close();
    await cleanUp();
  });
});

describe("a server that is known to honour conditions and refuses one for a reason it does not name", () => {
  const habits = { conditionalPut: "honoured", conditionalComplete: "honoured", atomicPut: "yes" } as const;

  test.each<["PutObject" | "CompleteMultipartUpload", (store: ObjectStore) => Promise<StoredObject>]>([
    ["PutObject", (store) => store.put("a", MINE, { ifAbsent: true })],
    [
      "CompleteMultipartUpload",
      async (store) => {
        const upload = await store.beginMultipart("a", { partSize: TEST_PART_SIZE, ifAbsent: true });
        await upload.putPart(1, MINE);
        return await upload.complete();
      },
    ],
  ])("has no taken key overwritten by %s without the condition", async (operation, write) => {
    for (const [status, code] of [
      [400, "InvalidRequest"],
      [405, "MethodNotAllowed"],
      [500, "InvalidArgument"],
    ] as const) {
      const { server, cleanUp } = await openS3ForTest("minio");
      const store = openDriverOn(server, { habits: { ...habits, payloadSignature: "sha256" } });
      await store.put("a", THEIRS);
      server.inject({ operation, fault: { type: "error", status, code } });
      await expectRejection(write(store), "OBJECT_EXISTS");
      expect(await readObject(store, "a")).toEqual(THEIRS);
      expect(server.requests.filter((request) => request.operation === operation)).toHaveLength(
        operation === "PutObject" ? 2 : 1,
      );
      await store.close();
      await cleanUp();
    }
  });
});

describe("uploads in parts under ifAbsent", () => {
  async function* twoParts(): AsyncGenerator<Uint8Array, void, void> {
    yield Buffer.alloc(TEST_PART_SIZE + 1, 3);
  }
  const options = { expectedSize: 1, partSize: TEST_PART_SIZE, ifAbsent: true };

  test.each<S3Profile>(["aws", "refuses-conditions", "ignores-conditions"])(
    "refuse a taken key on a server like %s",
    async (profile) => {
      const { store, cleanUp } = await openS3ForTest(profile);
      await store.put("a", THEIRS);
      await expectRejection(uploadStream(store, "a", twoParts(), options), "OBJECT_EXISTS");
      expect(await readObject(store, "a")).toEqual(THEIRS);
      expect(await store.abortStaleUploads("", new Date(Date.now() + 60_000))).toEqual([]);
      await cleanUp();
    },
  );

  test.each<S3Profile>(["aws", "refuses-conditions", "ignores-conditions"])(
    "recognise their own object after a lost answer on a server like %s",
    async (profile) => {
      const { store, server, cleanUp } = await openS3ForTest(profile);
      server.inject({ operation: "CompleteMultipartUpload", fault: { type: "lost-reply" } });
      const object = await uploadStream(withRetry(store, { baseDelayMs: 1 }), "a", twoParts(), options);
      expect(object).toMatchObject({ key: "a", size: TEST_PART_SIZE + 1 });
      await cleanUp();
    },
  );

  test("do not take another writer's object of the same size for their own", async () => {
    const { store, server, cleanUp } = await openS3ForTest("aws");
    const upload = await store.beginMultipart("a", { partSize: TEST_PART_SIZE, ifAbsent: true });
    await upload.putPart(1, MINE);
    server.inject({ operation: "CompleteMultipartUpload", fault: { type: "error", status: 500 } });
    await expectRejection(upload.complete(), "STORE_BUSY");
    await store.put("a", Buffer.alloc(MINE.byteLength, 9));
    await expectRejection(upload.complete(), "OBJECT_EXISTS");
    await upload.abort();
    await cleanUp();
  });
});
