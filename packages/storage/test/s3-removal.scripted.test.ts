import { withRetry } from "@soar/storage";
import type { S3Profile } from "@soar-tooling/s3-server";
import { countByOperation } from "@soar-tooling/s3-server";
import { describe, expect, test } from "vitest";
import { keysOf, expectRejection } from "./expect-rejection.ts";
import { openDriverOn, openS3ForTest, type S3ForTest } from "./s3-fixture.ts";
import { errorReply, openScripted } from "./scripted-server.ts";

async function withObjects(profile: S3Profile, count: number): Promise<S3ForTest & { keys: string[] }> {
  const s3 = await openS3ForTest(profile, { server: { pageSize: 1000 } });
  const keys = Array.from({ length: count }, (_, index) => `k/${String(index).padStart(4, "0")}`);
  for (const key of keys) await s3.store.put(key, Buffer.from("x"));
  s3.server.requests.splice(0);
  return { ...s3, keys };
}

test("more than a thousand keys go in batches of a thousand", async () => {
  const s3 = await withObjects("aws", 3);
  const many = [...s3.keys, ...Array.from({ length: 2000 }, (_, index) => `missing/${index}`)];
  await s3.store.remove(many);
  expect(countByOperation(s3.server.requests)).toEqual({ DeleteObjects: 3 });
  expect(s3.server.objects().size).toBe(0);
  await s3.cleanUp();
});

describe("a server without batches", () => {
  test("gets single removals, and is asked once", async () => {
    const s3 = await withObjects("single-deletes", 6);
    await s3.store.remove(s3.keys.slice(0, 3));
    await s3.store.remove(s3.keys.slice(3));
    expect(countByOperation(s3.server.requests)).toEqual({ DeleteObjects: 1, DeleteObject: 6 });
    expect(s3.events.filter(({ type }) => type !== "request")).toEqual([
      {
        type: "habit-learned",
        habit: "batchDelete",
        way: "refused",
        fact: expect.any(String),
        text: "objects are removed one by one",
      },
    ]);
    expect(s3.server.objects().size).toBe(0);
    await s3.cleanUp();
  });

  test.each([
    [400, "MissingContentMD5"],
    [400, "InvalidRequest"],
    [400, "MalformedXML"],
    [501, "NotImplemented"],
    [405, "MethodNotAllowed"],
    [500, "NotImplemented"],
    [503, "MethodNotAllowed"],
    [500, "NotSupported"],
  ])("is recognised by %i %s", async (status, code) => {
    await using scripted = await openScripted([errorReply(status, code), { status: 204 }, { status: 204 }]);
    await scripted.store.remove(["a", "b"]);
    expect(scripted.requests.map((request) => request.split("?")[0])).toEqual([
      "POST /bucket/",
      "DELETE /bucket/a",
      "DELETE /bucket/b",
    ]);
  });
});

describe("errors for all keys within a 200", () => {
  const refusal = (keys: readonly string[], code: string) => ({
    body: `<DeleteResult>${keys.map((key) => `<Error><Key>${key}</Key>${code === "" ? "" : `<Code>${code}</Code>`}<Message>no</Message></Error>`).join("")}</DeleteResult>`,
  });

  test.each(["InvalidArgument", "MethodNotAllowed", "NotImplemented", "MalformedXML", "SomethingElse", ""])(
    "(%s) are a refusal of batches: the keys are removed one by one, and the next ones at once so",
    async (code) => {
      await using scripted = await openScripted([
        refusal(["a", "b"], code),
        ...Array.from({ length: 4 }, () => ({ status: 204 })),
      ]);
      await scripted.store.remove(["a", "b"]);
      await scripted.store.remove(["c", "d"]);
      expect(scripted.requests.map((request) => request.split("?")[0])).toEqual([
        "POST /bucket/",
        ...["a", "b", "c", "d"].map((key) => `DELETE /bucket/${key}`),
      ]);
      expect(scripted.store.features.learned).toEqual([
        expect.objectContaining({ habit: "batchDelete", way: "refused" }),
      ]);
    },
  );

  test("that hold for single removals, too, are said as these say it, and nothing is learned", async () => {
    await using scripted = await openScripted([
      refusal(["a", "b"], "InvalidArgument"),
      errorReply(403, "Forbidden"),
      errorReply(403, "Forbidden"),
    ]);
    await expectRejection(scripted.store.remove(["a", "b"]), "STORE_DENIED");
    expect(scripted.store.features.learned).toEqual([]);
  });

  test.each([
    ["AccessDenied", "STORE_DENIED"],
    ["Forbidden", "STORE_DENIED"],
    ["UnauthorizedAccess", "STORE_DENIED"],
    ["SlowDownWrite", "STORE_BUSY"],
    ["ServiceUnavailable", "STORE_BUSY"],
  ] as const)("(%s) that are about rights or load are no refusal of batches", async (code, expected) => {
    await using scripted = await openScripted([refusal(["a", "b"], code)]);
    await expectRejection(scripted.store.remove(["a", "b"]), expected);
    expect(scripted.requests).toHaveLength(1);
  });
});

describe("an error for one key within a 200", () => {
  const reply = (code: string, message: string) => ({
    body: `<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>${code}</Code><Message>${message}</Message></Error></DeleteResult>`,
  });

  test.each([
    ["AccessDenied", "Access Denied", "STORE_DENIED"],
    ["AccessDenied", "Access Denied because object protected by object lock.", "OBJECT_LOCKED"],
    ["InternalError", "We encountered an internal error", "STORE_BUSY"],
    ["SlowDown", "Please reduce your request rate", "STORE_BUSY"],
  ] as const)("(%s: %s) rejects with its meaning and names the key", async (code, message, expected) => {
    await using scripted = await openScripted([reply(code, message)]);
    expect((await expectRejection(scripted.store.remove(["a", "b"]), expected)).message).toContain("'s3://bucket/b'");
  });

  test("is no error when the key was not there", async () => {
    await using scripted = await openScripted([
      reply("NoSuchKey", "The specified key does not exist."),
      { status: 204 },
    ]);
    await expect(scripted.store.remove(["a", "b"])).resolves.toBeUndefined();
  });

  test.each(["InvalidArgument", "MethodNotAllowed", "SomethingElse"])(
    "(%s) has this key removed by itself",
    async (code) => {
      await using scripted = await openScripted([reply(code, "x"), { status: 204 }]);
      await scripted.store.remove(["a", "b"]);
      expect(scripted.requests[1]).toContain("DELETE /bucket/b");
      expect(scripted.store.features.learned).toEqual([]);
    },
  );

  test("is tried again when that may help", async () => {
    await using scripted = await openScripted([
      reply("InternalError", "x"),
      { body: "<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted></DeleteResult>" },
    ]);
    await expect(withRetry(scripted.store, { baseDelayMs: 1 }).remove(["a", "b"])).resolves.toBeUndefined();
  });
});

test("a key that the server does not confirm is removed by itself", async () => {
  await using scripted = await openScripted([
    { body: "<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>" },
    { status: 204 },
  ]);
  await scripted.store.remove(["a", " b"]);
  expect(scripted.requests[1]).toContain("DELETE /bucket/%20b");
});

test("a key without the right to remove rejects with STORE_DENIED, one at a time too", async () => {
  const s3 = await withObjects("aws", 3);
  s3.server.addCredential({ accessKeyId: "WRITER", secretAccessKey: "writer-secret", deny: ["s3:DeleteObject"] });
  const store = openDriverOn(s3.server, { credentials: { accessKeyId: "WRITER", secretAccessKey: "writer-secret" } });
  await expectRejection(store.remove(s3.keys), "STORE_DENIED");
  await expectRejection(store.remove(s3.keys.slice(0, 1)), "STORE_DENIED");
  expect(await keysOf(store.list(""))).toEqual(s3.keys);
  await store.close();
  await s3.cleanUp();
});
