import type { IncomingMessage } from "node:http";
import type { DirectBody } from "./direct-body.ts";

/** A body as it comes, or one that is written straight into memory. */
export type AnswerBody = IncomingMessage | DirectBody;

export interface TransportResponse {
  readonly statusCode: number;
  readonly reason?: string | undefined;
  /** Lower-case names. */
  readonly headers: Record<string, string>;
  readonly body: AnswerBody;
}

export function joinHeaders({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : (value ?? "")]),
  );
}
