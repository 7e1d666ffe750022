import { SoarError } from "@soar/errors";
import { rangeBehindEnd, requireByteRange } from "../../byte-range.ts";
import { DirectBody } from "./direct-body.ts";
import { gatheredChunks } from "./gathered-chunks.ts";
import { createObjectBody, shortBody } from "../../object-body.ts";
import type { ByteRange, GetOptions, ObjectBody } from "../../object-store.ts";
import { callS3, meaningOf, objectOf, type S3Call, type S3Context, statS3 } from "./context.ts";
import type { AnswerBody } from "./transport-response.ts";
import { isS3Failure, S3Failure, type WireObject } from "./wire.ts";

/** Opens an object and checks, before the first byte is believed, that the answer is the range that was asked for. */
export async function getS3(
  context: S3Context,
  key: string,
  { range, whole, signal }: GetOptions,
): Promise<ObjectBody> {
  requireByteRange(range);
  const call: S3Call = { action: `read '${context.nameOf(key)}'`, key, signal };
  // HTTP has no word for an empty range.
  if (range !== undefined && ("suffix" in range ? range.suffix : range.length) === 0)
    return await openEmpty(context, call, range);
  return await callS3(context, call, async (wire) => {
    let opened: WireObject;
    try {
      opened = await wire.getObject({ key, range: formatRange(range), whole, signal });
    } catch (error) {
      // 416 is also the answer to any range of an empty object.
      if (range !== undefined && isS3Failure(error, 416, "InvalidRange")) return await openEmpty(context, call, range);
      throw error;
    }
    context.seen.bucket = true;
    try {
      return openBody(context, call, opened, { range, whole });
    } catch (error) {
      opened.discard();
      throw error;
    }
  });
}

function formatRange(range: ByteRange | undefined): string | undefined {
  if (range === undefined) return undefined;
  if ("suffix" in range) return `bytes=-${range.suffix}`;
  if (range.length === undefined) return range.offset === 0 ? undefined : `bytes=${range.offset}-`;
  return `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

async function openEmpty(context: S3Context, call: S3Call, range: ByteRange): Promise<ObjectBody> {
  const key = call.key ?? "";
  const name = context.nameOf(key);
  const object = await statS3(context, key, call.signal);
  if (object === undefined) throw new SoarError("OBJECT_MISSING", `unable to ${call.action}: there is no such object`);
  const offset = "suffix" in range ? object.size : range.offset;
  if (offset > object.size || (offset > 0 && offset === object.size && !("suffix" in range)))
    throw rangeBehindEnd(name, offset, object.size);
  return createObjectBody({ object, offset, length: 0 }, name, async function* () {});
}

function openBody(
  context: S3Context,
  call: S3Call,
  opened: WireObject,
  { range, whole = false }: Pick<GetOptions, "range" | "whole">,
): ObjectBody {
  const key = call.key ?? "";
  const { offset, length, size } = resolveAnswer(call, opened, range);
  const object = objectOf(key, { ...opened, size }, call.action);
  return createObjectBody({ object, offset, length }, context.nameOf(key), () =>
    receivedChunks(context, call, chunksOf(opened.body, whole ? length : undefined), length),
  );
}

/** With the length of a body that is wanted whole. */
function chunksOf(body: AnswerBody, length: number | undefined): AsyncIterable<Uint8Array> {
  return length === undefined || body instanceof DirectBody ? body : gatheredChunks(body, length);
}

interface Answer {
  readonly offset: number;
  readonly length: number;
  readonly size: number;
}

function resolveAnswer(call: S3Call, opened: WireObject, range: ByteRange | undefined): Answer {
  const answer = opened.status === 206 ? parseContentRange(call, opened) : wholeAnswer(call, opened);
  if (opened.contentLength !== undefined && opened.contentLength !== answer.length) {
    throw untrusted(call, `it announces ${opened.contentLength} bytes for a range of ${answer.length}`);
  }
  const wanted = wantedRange(range, answer.size);
  if (answer.offset === wanted.offset && answer.length === wanted.length) return answer;
  throw untrusted(
    call,
    `bytes ${wanted.offset} to ${wanted.offset + wanted.length} were asked for, it sends ${answer.offset} to ${answer.offset + answer.length}`,
  );
}

function wantedRange(range: ByteRange | undefined, size: number): { offset: number; length: number } {
  if (range === undefined) return { offset: 0, length: size };
  if ("suffix" in range) return { offset: Math.max(0, size - range.suffix), length: Math.min(range.suffix, size) };
  return { offset: range.offset, length: Math.min(range.length ?? Infinity, Math.max(0, size - range.offset)) };
}

function wholeAnswer(call: S3Call, { contentLength }: WireObject): Answer {
  if (contentLength === undefined) throw untrusted(call, "it does not say how long the object is");
  return { offset: 0, length: contentLength, size: contentLength };
}

function parseContentRange(call: S3Call, { contentRange }: WireObject): Answer {
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? "") ?? [];
  if (first === undefined || last === undefined || size === undefined)
    throw untrusted(call, `its range is '${contentRange ?? ""}'`);
  return { offset: Number(first), length: Number(last) - Number(first) + 1, size: Number(size) };
}

async function* receivedChunks(
  context: S3Context,
  call: S3Call,
  chunks: AsyncIterable<Uint8Array>,
  length: number,
): AsyncGenerator<Uint8Array, void, void> {
  let received = 0;
  try {
    for await (const chunk of chunks) {
      received += chunk.byteLength;
      yield chunk;
    }
  } catch (error) {
    throw meaningOfBreak(context, call, error, received, length);
  }
}

/** A connection that breaks within a body is a short body; one that falls silent is an unreachable store. */
function meaningOfBreak(context: S3Context, call: S3Call, error: unknown, received: number, length: number): unknown {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "ECONNRESET";
  const timeout = code.endsWith("_TIMEOUT");
  if (timeout || call.signal?.aborted)
    return meaningOf(
      context,
      call,
      new S3Failure(error instanceof Error ? error.message : code, { code, cause: error }),
    );
  return shortBody(context.nameOf(call.key ?? ""), received, length, error);
}

function untrusted({ action }: S3Call, fact: string): SoarError {
  return new SoarError(
    "STORE_PROTOCOL",
    `unable to ${action}: the provider's answer cannot be trusted, because ${fact}`,
    {
      hint: "A proxy or a server without support for ranges may be in between; check the endpoint.",
    },
  );
}
