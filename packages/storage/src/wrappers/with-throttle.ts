import { abortedError } from "../abort-signal.ts";
import type { MultipartUpload, ObjectBody, ObjectStore } from "../object-store.ts";
import { type Clock, createTokenBucket, type TokenBucket } from "./token-bucket.ts";

export interface ThrottleOptions {
  /** Limit for each direction, in bytes per second, over all calls of this store together. */
  readonly bytesPerSecond: number;
  readonly clock?: Clock | undefined;
}

/** Limits how fast bodies travel, up and down separately. Listings and the like are not counted. */
export function withThrottle(store: ObjectStore, { bytesPerSecond, clock }: ThrottleOptions): ObjectStore {
  const up = createTokenBucket(bytesPerSecond, clock);
  const down = createTokenBucket(bytesPerSecond, clock);
  return {
    location: store.location,
    features: store.features,
    async put(key, body, options) {
      await takeTokens(up, body.byteLength, options?.signal, `store '${key}'`);
      return await store.put(key, body, options);
    },
    beginMultipart: async (key, options) => throttledUpload(await store.beginMultipart(key, options), up),
    // In small chunks, whoever reads: else it would come in bursts.
    get: async (key, options) =>
      throttledBody(await store.get(key, { ...options, whole: false }), down, options?.signal),
    stat: (key, options) => store.stat(key, options),
    list: (prefix, options) => store.list(prefix, options),
    remove: (keys, options) => store.remove(keys, options),
    listUploads: (prefix, options) => store.listUploads(prefix, options),
    abortStaleUploads: (prefix, before, options) => store.abortStaleUploads(prefix, before, options),
    close: () => store.close(),
  };
}

function throttledUpload(upload: MultipartUpload, up: TokenBucket): MultipartUpload {
  return {
    key: upload.key,
    partSize: upload.partSize,
    async putPart(partNumber, body, options) {
      await takeTokens(up, body.byteLength, options?.signal, `upload part ${partNumber} of '${upload.key}'`);
      await upload.putPart(partNumber, body, options);
    },
    complete: (options) => upload.complete(options),
    abort: (options) => upload.abort(options),
  };
}

function throttledBody(body: ObjectBody, down: TokenBucket, signal: AbortSignal | undefined): ObjectBody {
  return {
    object: body.object,
    offset: body.offset,
    length: body.length,
    async *[Symbol.asyncIterator]() {
      for await (const chunk of body) {
        await takeTokens(down, chunk.byteLength, signal, `read '${body.object.key}'`);
        yield chunk;
      }
    },
  };
}

async function takeTokens(
  bucket: TokenBucket,
  amount: number,
  signal: AbortSignal | undefined,
  action: string,
): Promise<void> {
  try {
    await bucket.take(amount, signal);
  } catch (error) {
    throw signal?.aborted ? abortedError(signal, action) : error;
  }
}
