import type { ObjectBody, ObjectStore } from "@soar/storage";

export interface Downloads {
  /** Bytes of object bodies. */
  readonly bytes: number;
  /** Time in which at least one body was under way. */
  readonly busyMs: number;
  /** When the first byte came, on the clock of `performance.now()`. */
  readonly firstByteAt: number | undefined;
}

export interface MeasuredStore {
  readonly store: ObjectStore;
  /** What was downloaded since the last call. */
  take(): Downloads;
}

/** Watches how long bodies are under way: parallel downloads count once. */
export function measureDownloads(store: ObjectStore, clock: () => number = () => performance.now()): MeasuredStore {
  let [running, busySince, busyMs, bytes] = [0, 0, 0, 0];
  let firstByteAt: number | undefined;
  const begin = (): void => {
    if (running === 0) busySince = clock();
    running += 1;
  };
  const end = (): void => {
    running -= 1;
    if (running === 0) busyMs += clock() - busySince;
  };
  const count = (length: number): void => {
    firstByteAt ??= clock();
    bytes += length;
  };
  return {
    store: {
      location: store.location,
      features: store.features,
      put: (key, body, options) => store.put(key, body, options),
      beginMultipart: (key, options) => store.beginMultipart(key, options),
      async get(key, options) {
        begin();
        try {
          return watchedBody(await store.get(key, options), count, end);
        } catch (error) {
          end();
          throw error;
        }
      },
      stat: (key, options) => store.stat(key, options),
      list: (prefix, options) => store.list(prefix, options),
      remove: (keys, options) => store.remove(keys, options),
      listUploads: (prefix, options) => store.listUploads(prefix, options),
      abortStaleUploads: (prefix, before, options) => store.abortStaleUploads(prefix, before, options),
      close: () => store.close(),
    },
    take() {
      const now = clock();
      const taken = { bytes, busyMs: busyMs + (running > 0 ? now - busySince : 0), firstByteAt };
      [busyMs, bytes, firstByteAt, busySince] = [0, 0, undefined, now];
      return taken;
    },
  };
}

function watchedBody(body: ObjectBody, count: (length: number) => void, end: () => void): ObjectBody {
  return {
    object: body.object,
    offset: body.offset,
    length: body.length,
    async *[Symbol.asyncIterator]() {
      try {
        for await (const chunk of body) {
          count(chunk.byteLength);
          yield chunk;
        }
      } finally {
        end();
      }
    },
  };
}
