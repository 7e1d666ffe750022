import { expect, test } from "vitest";
import { createObjectBody } from "./object-body.ts";
import { collectBody } from "./read-object.ts";

const OBJECT = { key: "a", size: 10, modifiedAt: new Date(0), etag: "x", storageClass: undefined };

function bodyOf(chunks: readonly string[], length: number) {
  return createObjectBody({ object: OBJECT, offset: 0, length }, "store/a", async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  });
}

test("gives chunks of exactly the length that was announced", async () => {
  expect(String(await collectBody(bodyOf(["01234", "", "56789"], 10)))).toBe("0123456789");
});

test("never ends quietly before that", async () => {
  await expect(collectBody(bodyOf(["01234", "567"], 10))).rejects.toMatchObject({
    code: "OBJECT_SHORT",
    retryable: true,
    message: "unable to read 'store/a': the body ended after 8 of 10 bytes",
  });
  await expect(collectBody(bodyOf([], 1))).rejects.toMatchObject({ code: "OBJECT_SHORT" });
});

test("never gives more than that", async () => {
  await expect(collectBody(bodyOf(["01234", "56789x"], 10))).rejects.toMatchObject({ code: "STORE_PROTOCOL" });
});
