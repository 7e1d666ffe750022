/** The head of an answer whose body is a known number of bytes. */
export interface AnswerHead {
  readonly statusCode: number;
  readonly reason: string;
  /** By their names in small letters. */
  readonly headers: Record<string, string>;
  /** Bytes of the body. */
  readonly length: number;
  /** Whether the connection may be used again. */
  readonly keepsAlive: boolean;
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
    return VERSION.startsWith(begun) && bytes.length < MOST_HEAD_BYTES ? "incomplete" : "other";
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
    keepsAlive: !/\b(?:close|upgrade)\b/i.test(headers["connection"] ?? ""),
    headBytes: end + END_OF_HEAD.length,
  };
}

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
    if (before !== undefined && key === "content-length") return undefined;
    headers[key] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}
