import fc from "fast-check";
import { expect, test } from "vitest";
import { readAnswerHead } from "./answer-head.ts";

const read = (text: string) => readAnswerHead(Buffer.from(text, "latin1"));

test("the head of a range is read, and the body behind it is left alone", () => {
  const head =
    'HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\nETag:  "a b" \r\nX-Empty:\r\nx-two: 1\r\nX-Two: 2\r\n\r\n';
  expect(read(`${head}ab\r\n\r\n`)).toEqual({
    statusCode: 206,
    reason: "Partial Content",
    headers: Object.assign(Object.create(null) as object, {
      "content-length": "4",
      etag: '"a b"',
      "x-empty": "",
      "x-two": "1, 2",
    }),
    length: 4,
    keepsAliveMs: undefined,
    headBytes: head.length,
  });
});

test("a connection that the server closes is not kept", () => {
  expect(read("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n")).toMatchObject({
    keepsAliveMs: 0,
  });
});

test.each([
  ["timeout=5, max=100", 4000],
  ["max=100, Timeout=1", 0],
  ["max=100", undefined],
])("a connection is kept a second less than the server says: %s", (hint, keepsAliveMs) => {
  expect(read(`HTTP/1.1 200 OK\r\nKeep-Alive: ${hint}\r\nContent-Length: 0\r\n\r\n`)).toMatchObject({ keepsAliveMs });
});

test("any headers that a server may send are read as they are, however they come in pieces", () => {
  const name = fc.stringMatching(/^x-[a-z0-9-]{1,20}$/);
  const value = fc.stringMatching(/^(?:[!-~](?:[ -~]{0,40}[!-~])?)?$/);
  const heads = fc.tuple(fc.dictionary(name, value), fc.nat({ max: 1_000_000 }), fc.constantFrom(200, 206));
  fc.assert(
    fc.property(heads, fc.nat(), ([headers, length, status], cut) => {
      const lines = Object.entries({ ...headers, "Content-Length": String(length) }).map(
        ([key, text]) => `${key}: ${text}\r\n`,
      );
      const text = `HTTP/1.1 ${status} Fine\r\n${lines.join("")}\r\n`;
      expect(read(text.slice(0, cut % text.length))).toBe("incomplete");
      const head = read(text);
      expect({ ...(head as { headers: object }).headers }).toEqual({ ...headers, "content-length": String(length) });
      expect(head).toMatchObject({ statusCode: status, length, headBytes: text.length });
    }),
  );
});

test.each([
  ["a refusal", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"],
  ["an answer in between", "HTTP/1.1 100 Continue\r\n\r\n"],
  ["an older version", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["chunks and a length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"],
  ["no length", "HTTP/1.1 200 OK\r\n\r\n"],
  ["a length that is no number", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"],
  ["a body for which there is no memory", "HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n"],
  ["a line that goes on", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: a\r\n b\r\n\r\n"],
  ["a name with a space", "HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\n"],
  ["a control character", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: a\0b\r\n\r\n"],
  ["two times of a change", "HTTP/1.1 200 OK\r\nLast-Modified: a\r\nLast-Modified: b\r\nContent-Length: 3\r\n\r\n"],
  ["two marks", 'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 3\r\nEtag: "b"\r\n\r\n'],
  ["two cookies", "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 3\r\n\r\n"],
  ["bare line feeds only", "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"],
  ["a bare line feed in a head that is not there yet", "HTTP/1.1 200 OK\r\nX: a\n"],
  ["bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 3\n\n\r\n\r\n"],
  ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n"],
  ["a head without end", `HTTP/1.1 200 OK\r\nX: ${"a".repeat(16 * 1024)}`],
])("%s is left to a parser that knows all of HTTP", (_what, text) => {
  expect(read(text)).toBe("other");
});
