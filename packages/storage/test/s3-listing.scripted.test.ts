import { describe, expect, test } from "vitest";
import { keysOf, expectRejection } from "./expect-rejection.ts";
import { openS3ForTest } from "./s3-fixture.ts";
import { errorReply, openScripted, pageReply, type ScriptedReply } from "./scripted-server.ts";

const MORE = "<IsTruncated>true</IsTruncated>";
const more = (token: string): string => `${MORE}<NextContinuationToken>${token}</NextContinuationToken>`;

test.each<[string, ScriptedReply[]]>([
  ["is truncated without a token", [pageReply(["a", "b"], MORE)]],
  ["is truncated with an empty token", [pageReply(["a", "b"], more(""))]],
  ["leads back to itself", [pageReply(["a"], more("t")), pageReply(["b"], more("t"))]],
  ["leads in a circle", [pageReply(["a"], more("t")), pageReply(["b"], more("u")), pageReply(["c"], more("t"))]],
  ["repeats keys", [pageReply(["a", "b"], more("t")), pageReply(["b", "c"])]],
  ["has a key twice", [pageReply(["a", "a"])]],
  ["has a key outside of the prefix", [pageReply(["a", "b"])]],
  ["announces more keys than it holds", [pageReply(["a"], "<KeyCount>2</KeyCount><IsTruncated>false</IsTruncated>")]],
  ["does not say whether more follow", [pageReply(["a"], "")]],
  ["is another document", [{ body: "<html><body>Log in to the network</body></html>" }]],
  ["is no document", [{ body: "not XML" }]],
  ["is empty", [{ body: "" }]],
  ["has an entry without size", [{ body: `<R><Contents><Key>a</Key></Contents><IsTruncated>false</IsTruncated></R>` }]],
])("a page that %s is not believed", async (name, replies) => {
  await using scripted = await openScripted(replies);
  const prefix = name.includes("outside") ? "a" : "";
  await expectRejection(keysOf(scripted.store.list(prefix)), "STORE_PROTOCOL");
});

test("pages that lead on are followed to the end", async () => {
  await using scripted = await openScripted([
    pageReply(["a", "b"], more("t")),
    pageReply([], more("u")),
    pageReply(["c"]),
  ]);
  expect(await keysOf(scripted.store.list(""))).toEqual(["a", "b", "c"]);
  expect(scripted.requests[1]).toContain("continuation-token=t");
  expect(scripted.requests[2]).toContain("continuation-token=u");
});

test("pages without keys that lead on without end are refused, whatever their tokens are", async () => {
  const empty = Array.from({ length: 1000 }, (_, at) => pageReply([], more(`t${at}`)));
  await using endless = await openScripted([...empty, pageReply(["a"])]);
  const { message } = await expectRejection(keysOf(endless.store.list("")), "STORE_PROTOCOL");
  expect(message).toContain("1000 pages in a row hold nothing");
  await using patient = await openScripted([...empty.slice(1), pageReply(["a"], more("t")), pageReply(["b"])]);
  expect(await keysOf(patient.store.list(""))).toEqual(["a", "b"]);
});

test("a server that takes no notice of start-after gives no key before it all the same", async () => {
  await using scripted = await openScripted([pageReply(["a", "b", "c"])]);
  expect(await keysOf(scripted.store.list("", { startAfter: "b" }))).toEqual(["c"]);
});

test("keys that the server encoded are decoded, others are taken as they are", async () => {
  await using scripted = await openScripted([
    pageReply(["a+b%2Bc%0Ad", "b%25"], "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"),
    pageReply(["a+b%2B"]),
    pageReply(["%zz"], "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"),
  ]);
  expect(await keysOf(scripted.store.list(""))).toEqual(["a b+c\nd", "b%"]);
  expect(await keysOf(scripted.store.list(""))).toEqual(["a+b%2B"]);
  await expectRejection(keysOf(scripted.store.list("")), "STORE_PROTOCOL");
});

describe("on a real listing", () => {
  test.each([{ type: "no-continuation-token" }, { type: "repeat-page" }] as const)(
    "the fault $type is noticed",
    async (fault) => {
      const s3 = await openS3ForTest("aws");
      await Promise.all(Array.from({ length: 20 }, (_, index) => s3.store.put(`k${index}`, Buffer.from("x"))));
      s3.server.inject({
        operation: "ListObjectsV2",
        skip: fault.type === "repeat-page" ? 1 : 0,
        times: "always",
        fault,
      });
      await expectRejection(keysOf(s3.store.list("")), "STORE_PROTOCOL");
      await s3.cleanUp();
    },
  );
});

test("a listing of uploads that does not lead on is not believed", async () => {
  const upload = "<Upload><Key>a</Key><UploadId>1</UploadId><Initiated>2025-01-05T12:00:00.000Z</Initiated></Upload>";
  await using scripted = await openScripted([
    { body: `<R>${upload}<IsTruncated>true</IsTruncated></R>` },
    errorReply(204, ""),
  ]);
  await expectRejection(scripted.store.abortStaleUploads("", new Date(0)), "STORE_PROTOCOL");
  await using again = await openScripted([{ body: `<R>${upload}<IsTruncated>true</IsTruncated></R>` }]);
  await expectRejection(again.store.listUploads(""), "STORE_PROTOCOL");
  const next = (marker: number): string => `<IsTruncated>true</IsTruncated><NextKeyMarker>${marker}</NextKeyMarker>`;
  await using circle = await openScripted([1, 2, 1].map((marker) => ({ body: `<R>${upload}${next(marker)}</R>` })));
  await expectRejection(circle.store.listUploads(""), "STORE_PROTOCOL");
  await using endless = await openScripted(Array.from({ length: 1000 }, (_, at) => ({ body: `<R>${next(at)}</R>` })));
  const { message } = await expectRejection(endless.store.listUploads(""), "STORE_PROTOCOL");
  expect(message).toContain("1000 pages of the listing in a row hold nothing");
});
