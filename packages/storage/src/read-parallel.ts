import { SoarError } from "@soar/errors";
import type { ByteRange, CallOptions, ObjectStore, StoredObject } from "./object-store.ts";
import { collectBody } from "./read-object.ts";

export interface ReadParallelOptions extends CallOptions {
  /** First byte; default 0. */
  readonly offset?: number | undefined;
  /** Number of bytes; default up to the end. */
  readonly length?: number | undefined;
  /** Bytes per request; default 8 MiB. */
  readonly partSize?: number | undefined;
  /** Requests at once, and parts held in memory; default 4. */
  readonly parallel?: number | undefined;
}

/**
 * Reads a range of an object through several requests at once and yields its parts in order. Rejects like `get`, and
 * with `STORE_PROTOCOL` when the object has fewer bytes than asked for or is replaced meanwhile.
 */
export async function* readParallel(
  store: ObjectStore,
  key: string,
  options: ReadParallelOptions = {},
): AsyncGenerator<Buffer, void, void> {
  const { partSize = 8 * 1024 ** 2, parallel = 4 } = options;
  const object = await requireObject(store, key, options);
  const ranges = cutRange(options.offset ?? 0, options.length, partSize, object, `${store.location}/${key}`);
  const controller = new AbortController();
  const signal =
    options.signal === undefined ? controller.signal : AbortSignal.any([options.signal, controller.signal]);
  const window: Promise<Buffer>[] = [];
  try {
    for (const range of ranges) {
      window.push(handled(readPart(store, object, range, signal)));
      if (window.length < parallel) continue;
      const part = await window[0];
      // It is settled: only its place is given up.
      void window.shift();
      if (part !== undefined) yield part;
    }
    for (const part of window) yield await part;
  } finally {
    // A reader that stops early, or a part that failed: the other requests are not wanted any more.
    controller.abort();
    await Promise.allSettled(window);
  }
}

async function requireObject(store: ObjectStore, key: string, { signal }: CallOptions): Promise<StoredObject> {
  const object = await store.stat(key, { signal });
  if (object === undefined)
    throw new SoarError("OBJECT_MISSING", `unable to read '${store.location}/${key}': there is no such object`);
  return object;
}

function cutRange(
  offset: number,
  length: number | undefined,
  partSize: number,
  object: StoredObject,
  name: string,
): ByteRange[] {
  const end = offset + (length ?? object.size - offset);
  if (offset < 0 || end < offset || end > object.size) {
    throw new SoarError(
      "STORE_PROTOCOL",
      `unable to read '${name}': bytes ${offset} to ${end} were asked for, but it has ${object.size}`,
    );
  }
  const ranges: ByteRange[] = [];
  for (let start = offset; start < end; start += partSize)
    ranges.push({ offset: start, length: Math.min(partSize, end - start) });
  return ranges;
}

async function readPart(
  store: ObjectStore,
  object: StoredObject,
  range: ByteRange,
  signal: AbortSignal,
): Promise<Buffer> {
  const body = await store.get(object.key, { range, whole: true, signal });
  const bytes = await collectBody(body);
  if (body.object.size === object.size && body.object.etag === object.etag) return bytes;
  throw new SoarError(
    "STORE_PROTOCOL",
    `unable to go on reading '${store.location}/${object.key}': it was replaced meanwhile`,
  );
}

/** A part that fails while an earlier one is awaited must not count as an unhandled rejection; it is awaited later. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
