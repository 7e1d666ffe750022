import { expect, test } from "vitest";
import { refusalOf } from "./refusal.ts";

const AT = new Date("2025-01-05T12:00:00.400Z");

function factsOf(status: number, body: string, headers: Record<string, string> = {}) {
  const { message, facts } = refusalOf({ statusCode: status, headers }, body, AT);
  return { message, ...facts };
}

test("an error document says what the refusal is", () => {
  const body = `<?xml version="1.0"?><Error><Code>PermanentRedirect</Code><Message>over &quot;there&quot;</Message><Region>eu-west-1</Region><RequestId>r1</RequestId></Error>`;
  expect(factsOf(301, body)).toMatchObject({
    message: `over "there"`,
    status: 301,
    code: "PermanentRedirect",
    region: "eu-west-1",
    requestId: "r1",
  });
  expect(factsOf(301, body, { "x-amz-bucket-region": "eu-north-1", "x-amz-request-id": "r2" })).toMatchObject({
    region: "eu-north-1",
    requestId: "r2",
  });
  expect(factsOf(403, `<ErrorResponse>${body.slice(21)}</ErrorResponse>`)).toMatchObject({ code: "PermanentRedirect" });
});

test("an answer without an error document is told by its status, and by its first words", () => {
  expect(factsOf(404, "")).toMatchObject({ code: "NotFound", message: "no message" });
  expect(factsOf(502, `<html>\n<h1>Bad   Gateway</h1>${"x".repeat(500)}`)).toMatchObject({
    code: "UnknownError",
    message: expect.stringMatching(/^<html> <h1>Bad Gateway<\/h1>x{1,200}$/),
  });
});

test("a refusal of a request that was signed at another time than the server's is one of the clock", () => {
  const date = { date: "Sun, 05 Jan 2025 12:20:00 GMT" };
  expect(factsOf(403, "", date)).toMatchObject({ code: "RequestTimeTooSkewed", signedAheadMs: -20 * 60_000 });
  expect(factsOf(404, "", date)).toMatchObject({ code: "NotFound" });
  expect(factsOf(403, "", { date: "Sun, 05 Jan 2025 12:00:00 GMT" })).toMatchObject({
    code: "UnknownError",
    signedAheadMs: 0,
  });
});
