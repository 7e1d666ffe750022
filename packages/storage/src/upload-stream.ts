import { free } from "@soar/task-pool";
import { SoarError } from "@soar/errors";
import { abortUpload } from "./give-back.ts";
import type { CallOptions, MultipartUpload, ObjectStore, PutOptions, StoredObject } from "./object-store.ts";
import { partSizeFor } from "./part-size.ts";
import { proveMaxParts } from "./probe-max-parts.ts";

export interface UploadStreamOptions extends PutOptions {
  /**
   * Upper estimate of the size in bytes. It decides the part size; a stream that turns out so much longer that its
   * parts do not suffice rejects with `STORE_UNSUPPORTED`.
   */
  readonly expectedSize: number;
  /** Bytes per part instead of the derived ones, for tests and for providers with wishes. */
  readonly partSize?: number | undefined;
  /** Parts on their way at once, and held in memory; default 4. */
  readonly parallel?: number | undefined;
  /** Called after each part with the number of bytes stored so far. */
  readonly onProgress?: ((storedBytes: number) => void) | undefined;
}

/**
 * Stores a stream of unknown length: in one `put` when it fits into one part, else in equal parts. The object appears
 * whole or not at all: when anything fails, the source included, the parts are given back. The chunks of the source may
 * be views on a buffer that is reused; they are copied. Rejects like `put`, `putPart` and `complete`.
 */
export async function uploadStream(
  store: ObjectStore,
  key: string,
  source: AsyncIterable<Uint8Array>,
  options: UploadStreamOptions,
): Promise<StoredObject> {
  if (options.partSize === undefined) await proveMaxParts(store, key, options);
  const partSize = options.partSize ?? partSizeFor(options.expectedSize, store.features);
  const memory: Buffer[] = [];
  const parts = cutParts(source, partSize, memory);
  try {
    const first = await nextPart(parts);
    const second = first.byteLength === partSize ? await nextPart(parts) : undefined;
    if (second === undefined || second.byteLength === 0) return await putWhole(store, key, first, options);
    return await uploadParts(store, key, joinParts(first, second, parts), { ...options, partSize, memory });
  } finally {
    // Closes the source also when it was not read to its end.
    await parts.return();
    // Nobody sends them any more.
    for (const part of memory) free(part);
  }
}

async function putWhole(
  store: ObjectStore,
  key: string,
  body: Buffer,
  { ifAbsent, signal, onProgress }: UploadStreamOptions,
): Promise<StoredObject> {
  const object = await store.put(key, body, { ifAbsent, signal });
  onProgress?.(body.byteLength);
  return object;
}

type PartGenerator = AsyncGenerator<Buffer, void, void>;

async function nextPart(parts: PartGenerator): Promise<Buffer> {
  const { value } = await parts.next();
  return value ?? Buffer.alloc(0);
}

async function* joinParts(first: Buffer, second: Buffer, rest: PartGenerator): PartGenerator {
  yield first;
  yield second;
  yield* rest;
}

/**
 * Fills buffers of exactly `partSize`; only the last one is shorter. Takes them from `memory` first: with large parts the
 * collector lets go of them too late.
 */
async function* cutParts(source: AsyncIterable<Uint8Array>, partSize: number, memory: Buffer[]): PartGenerator {
  const takePart = (): Buffer => memory.pop() ?? Buffer.allocUnsafeSlow(partSize);
  let part = takePart();
  let filled = 0;
  for await (const chunk of source) {
    for (let taken = 0; taken < chunk.byteLength;) {
      const piece = chunk.subarray(taken, taken + partSize - filled);
      part.set(piece, filled);
      filled += piece.byteLength;
      taken += piece.byteLength;
      if (filled < partSize) continue;
      yield part;
      part = takePart();
      filled = 0;
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}

type UploadPartsOptions = UploadStreamOptions & {
  readonly partSize: number;
  /** Gets the buffers of stored parts back. */
  readonly memory: Buffer[];
};

async function uploadParts(
  store: ObjectStore,
  key: string,
  parts: PartGenerator,
  options: UploadPartsOptions,
): Promise<StoredObject> {
  const { partSize, ifAbsent, signal } = options;
  const upload = await store.beginMultipart(key, { partSize, ifAbsent, signal });
  try {
    const size = await sendParts(upload, parts, options);
    const object = await upload.complete({ signal });
    if (object.size === size) return object;
    throw new SoarError(
      "STORE_PROTOCOL",
      `unable to upload '${store.location}/${key}': ${size} bytes were sent, ${object.size} were stored`,
    );
  } catch (error) {
    throw await abortUpload(upload, error);
  }
}

async function sendParts(
  upload: MultipartUpload,
  parts: PartGenerator,
  { parallel = 4, partSize, memory, signal, onProgress }: UploadPartsOptions,
): Promise<number> {
  const stop = new AbortController();
  const callOptions: CallOptions = {
    signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
  };
  const underway = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  let sent = 0;
  let stored = 0;
  let partNumber = 0;
  const send = async (number: number, part: Buffer): Promise<void> => {
    try {
      await upload.putPart(number, part, callOptions);
      stored += part.byteLength;
      onProgress?.(stored);
      if (part.byteLength === partSize) memory.push(part);
    } catch (error) {
      failure ??= { error };
      stop.abort();
    }
  };
  try {
    for await (const part of parts) {
      sent += part.byteLength;
      partNumber += 1;
      const sending = send(partNumber, part).finally(() => underway.delete(sending));
      underway.add(sending);
      if (underway.size >= parallel) await Promise.race(underway);
      if (failure !== undefined) break;
    }
  } catch (error) {
    // The source failed: the parts on their way are not wanted any more.
    failure ??= { error };
    stop.abort();
  }
  await Promise.all(underway);
  if (failure !== undefined) throw failure.error;
  return sent;
}
