/** The head of an answer whose body is a known number of bytes. */
export interface AnswerHead {
  readonly statusCode: number;
  readonly reason: string;
  /** By their names in small letters. */
  readonly headers: Record<string, string>;
  /** Bytes of the body. */
  readonly length: number;
  /** Milliseconds for which the connection may be used again; 0 when it is closed behind the answer, undefined without a word. */
  readonly keepsAliveMs: number | undefined;
  /** Bytes of the head itself. */
  readonly headBytes: number;
}

const END_OF_HEAD = "\r\n\r\n";
/** As much as Node's own parser takes. */
const MOST_HEAD_BYTES = 16 * 1024;
/** Bodies that are read into one memory; longer ones come as a stream. */
const MOST_BODY_BYTES = 64 * 1024 ** 2;
const VERSION = "HTTP/1.1 ";

/**
 * Reads the head of an answer that brings an object or a range of it, in the one form in which nearly all servers send them: status 200 or 206 and
 * a Content-Length. `incomplete` while more has to come, `other` for every other beginning, which is left to Node's parser.
 */
export function readAnswerHead(bytes: Buffer): AnswerHead | "incomplete" | "other" {
  const end = bytes.indexOf(END_OF_HEAD, 0, "latin1");
  if (end === -1) {
    const begun = bytes.toString("latin1", 0, VERSION.length);
    const isOurs = VERSION.startsWith(begun) && bytes.length < MOST_HEAD_BYTES && !hasBareLineFeed(bytes);
    return isOurs ? "incomplete" : "other";
  }
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const [, status, reason = ""] = /^HTTP\/1\.1 (200|206)(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(statusLine) ?? [];
  const headers = readHeaders(lines);
  if (status === undefined || headers === undefined || headers["transfer-encoding"] !== undefined) return "other";
  const length = headers["content-length"] ?? "";
  if (!/^\d{1,15}$/.test(length) || Number(length) > MOST_BODY_BYTES) return "other";
  return {
    statusCode: Number(status),
    reason,
    headers,
    length: Number(length),
    keepsAliveMs: /\b(?:close|upgrade)\b/i.test(headers["connection"] ?? "") ? 0 : readHint(headers["keep-alive"]),
    headBytes: end + END_OF_HEAD.length,
  };
}

/** Its end would be waited for until time is up. */
function hasBareLineFeed(bytes: Buffer): boolean {
  return /(?:^|[^\r])\n/.test(bytes.toString("latin1"));
}

/** A second less than the server says, so that it does not close what a request is on its way to; Node's agent does the same. */
function readHint(keepAlive: string | undefined): number | undefined {
  const [, seconds] = /\btimeout=(\d{1,9})\b/i.exec(keepAlive ?? "") ?? [];
  return seconds === undefined ? undefined : Math.max(0, Number(seconds) - 1) * 1000;
}

/** Of which Node keeps the first, or which it joins in another way. */
const NOT_JOINED = new Set(
  (
    "age authorization content-length content-type cookie etag expires from host if-modified-since if-unmodified-since " +
    "last-modified location max-forwards proxy-authorization referer retry-after server set-cookie user-agent"
  ).split(" "),
);

/** Undefined for lines that need more than cutting at their colon. */
function readHeaders(lines: readonly string[]): Record<string, string> | undefined {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const line of lines) {
    const [, name, value] =
      /^([!#$%&'*+\-.^_`|~\w]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$/.exec(
        line,
      ) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const key = name.toLowerCase();
    const before = headers[key];
    if (before !== undefined && NOT_JOINED.has(key)) return undefined;
    headers[key] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}
