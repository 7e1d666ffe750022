import type { TransportCall } from "./transport-call.ts";
import type { BodyManner, WireGet } from "./wire.ts";

/** Options of a call of the SDK. */
export function underSignal(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

type BodyRequest = BodyManner & {
  readonly body: Uint8Array;
  readonly contentMd5: string;
  readonly signal: AbortSignal | undefined;
  readonly whenBegun?: (() => Promise<void>) | undefined;
};

/** The fields of a request that carry a body and its proof. */
export function bodyFields({ body, contentMd5, sendMd5 }: BodyRequest) {
  return { Body: body, ContentLength: body.byteLength, ...(sendMd5 && { ContentMD5: contentMd5 }) };
}

/** The SDK hands options of a call on to the transport. */
export function forBody({ signal, expectContinue, onExpectation, whenBegun }: BodyRequest): {
  abortSignal?: AbortSignal;
} {
  const call: TransportCall = { ...underSignal(signal), expectContinue, onExpectation, whenBegun };
  return call as { abortSignal?: AbortSignal };
}

/** The same of an object that is read: see `TransportCall.whole`. */
export function forObject({ signal, whole }: Pick<WireGet, "signal" | "whole">): { abortSignal?: AbortSignal } {
  const call: TransportCall = { ...underSignal(signal), whole };
  return call as { abortSignal?: AbortSignal };
}

/** "Only if absent". */
export function condition(ifNoneMatch: boolean): { IfNoneMatch?: string } {
  return ifNoneMatch ? { IfNoneMatch: "*" } : {};
}
