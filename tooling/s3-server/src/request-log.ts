import type { OperationName } from "./operation-names.ts";

/** One request and what became of it, for assertions. */
export interface S3RequestLog {
  /** Counted from 1, in order of arrival. */
  readonly number: number;
  readonly method: string;
  /** As it came, with the query. */
  readonly url: string;
  /** Undefined when the request could not be understood. */
  operation: OperationName | undefined;
  bucket: string;
  key: string;
  accessKeyId: string | undefined;
  /** All headers, lower case, without the Authorization header and tokens. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since 1970, by the machine's clock. */
  readonly startedAt: number;
  /** Undefined while it is under way. */
  endedAt: number | undefined;
  /** Body bytes read from the connection. */
  requestBytes: number;
  /** Body bytes given to the connection. */
  responseBytes: number;
  /** The status that was sent; undefined when the connection was cut before. */
  status: number | undefined;
  /** Code of the error document that was sent. */
  errorCode: string | undefined;
  /** Type of the injected fault. */
  fault: string | undefined;
  /** How it ended: by an answer, by a cut of ours, or because the client went away. */
  outcome: "pending" | "answered" | "cut" | "abandoned";
}

const HIDDEN_HEADERS = new Set(["authorization", "x-amz-security-token"]);

export function beginRequestLog(
  number: number,
  request: { method: string; url: string; headers: Readonly<Record<string, string | string[] | undefined>> },
): S3RequestLog {
  return {
    number,
    method: request.method,
    url: request.url,
    operation: undefined,
    bucket: "",
    key: "",
    accessKeyId: undefined,
    headers: Object.fromEntries(
      Object.entries(request.headers).flatMap(([name, value]) =>
        value === undefined || HIDDEN_HEADERS.has(name) ? [] : [[name, String(value)]],
      ),
    ),
    startedAt: Date.now(),
    endedAt: undefined,
    requestBytes: 0,
    responseBytes: 0,
    status: undefined,
    errorCode: undefined,
    fault: undefined,
    outcome: "pending",
  };
}

/** Number of requests per operation (`unknown` for those that were not understood). */
export function countByOperation(requests: readonly S3RequestLog[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { operation = "unknown" } of requests) counts[operation] = (counts[operation] ?? 0) + 1;
  return counts;
}
