import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareKeys } from "./compare-keys.ts";
import { listPage } from "./operations/list-page.ts";
import { openServerForTest, type ServerForTest } from "./s3-server.fixture.ts";
import { childrenOf, parseXml, textOf } from "./xml.ts";

interface Listed {
  readonly keys: (string | undefined)[];
  readonly groups: (string | undefined)[];
  readonly next: string | undefined;
  readonly truncated: boolean;
}

async function list({ client }: ServerForTest, query: Record<string, string> = {}): Promise<Listed> {
  const { text } = await client.send({ method: "GET", query: { "list-type": "2", ...query } });
  const document = parseXml(text, "ListBucketResult");
  return {
    keys: childrenOf(document, "Contents").map((node) => textOf(node, "Key")),
    groups: childrenOf(document, "CommonPrefixes").map((node) => textOf(node, "Prefix")),
    next: textOf(document, "NextContinuationToken"),
    truncated: textOf(document, "IsTruncated") === "true",
  };
}

async function listAll(open: ServerForTest, query: Record<string, string> = {}): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  let token: string | undefined;
  do {
    const page = await list(open, { ...query, ...(token !== undefined && { "continuation-token": token }) });
    found.push(...page.keys, ...page.groups);
    token = page.next;
  } while (token !== undefined);
  return found;
}

async function openWith(keys: readonly string[]): Promise<ServerForTest> {
  const open = await openServerForTest();
  for (const key of keys) await open.client.send({ method: "PUT", key, body: key });
  return open;
}

describe("listings", () => {
  test("give keys in the order of their UTF-8 bytes, page by page", async () => {
    const keys = ["a", "a/1", "a/2", "a0", "b", "z", "é", "\uFF5E", "\u{1F600}"];
    await using open = await openWith(keys.toReversed());
    expect(await listAll(open)).toEqual(keys);
    expect(await listAll(open, { "max-keys": "2" })).toEqual(keys);
    expect(await list(open, { "max-keys": "9" })).toMatchObject({ truncated: false, next: undefined });
    expect(await listAll(open, { prefix: "a/", "max-keys": "1" })).toEqual(["a/1", "a/2"]);
    expect(await listAll(open, { "start-after": "a/1", "max-keys": "3" })).toEqual(keys.slice(2));
    expect(await list(open, { "max-keys": "0" })).toEqual({ keys: [], groups: [], next: undefined, truncated: false });
  });

  test("group keys by a delimiter, each group once", async () => {
    await using open = await openWith(["a", "b/1", "b/2", "c/x/1", "c/y", "d"]);
    expect(await list(open, { delimiter: "/" })).toMatchObject({ keys: ["a", "d"], groups: ["b/", "c/"] });
    expect(await listAll(open, { delimiter: "/", "max-keys": "1" })).toEqual(["a", "b/", "c/", "d"]);
    expect(await list(open, { delimiter: "/", prefix: "c/" })).toMatchObject({ keys: ["c/y"], groups: ["c/x/"] });
  });

  test("encode keys when asked, and refuse tokens that are not theirs", async () => {
    await using open = await openWith(["a b+c/\u0001"]);
    expect((await list(open, { "encoding-type": "url" })).keys).toEqual(["a%20b%2Bc/%01"]);
    expect(
      (await open.client.send({ method: "GET", query: { "list-type": "2", "continuation-token": "a" } })).errorCode,
    ).toBe("InvalidArgument");
    expect((await open.client.send({ method: "GET", query: { "list-type": "2", "max-keys": "x" } })).errorCode).toBe(
      "InvalidArgument",
    );
  });

  test("give every key and group exactly once, whatever the page size", () => {
    const key = fc.string({ unit: fc.constantFrom("a", "b", "/", "é"), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.uniqueArray(key),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom("", "/"),
        fc.constantFrom("", "a", "a/"),
        (unsorted, maxKeys, delimiter, prefix) => {
          const keys = unsorted.toSorted(compareKeys);
          const query = { keys, prefix, delimiter, isListed: () => true };
          const whole = listPage({ ...query, after: "", maxKeys: 1000 });
          const paged: string[] = [];
          for (
            let page = listPage({ ...query, after: "", maxKeys });
            ;
            page = listPage({ ...query, after: page.last, maxKeys })
          ) {
            paged.push(...page.keys, ...page.commonPrefixes);
            if (!page.truncated) break;
          }
          expect(paged.toSorted(compareKeys)).toEqual([...whole.keys, ...whole.commonPrefixes].toSorted(compareKeys));
          expect(whole.keys).toEqual(
            keys.filter(
              (item) => item.startsWith(prefix) && (delimiter === "" || !item.includes(delimiter, prefix.length)),
            ),
          );
        },
      ),
    );
  });

  test("leave out what was deleted", async () => {
    await using open = await openServerForTest({ bucket: { name: "versioned", versioning: true } });
    for (const key of ["a", "b", "c"]) await open.client.send({ method: "PUT", key, body: key });
    await open.client.send({ method: "DELETE", key: "b" });
    expect(await listAll(open, { "max-keys": "1" })).toEqual(["a", "c"]);
  });
});
