import { SoarError } from "@soar/errors";
import type { MultipartUpload, ObjectBody, ObjectStore, StoredObject } from "../object-store.ts";

export interface Fault {
  /** The call, counted from 1 over all methods, with each page or body opened as one and each chunk read as one. */
  readonly atCall: number;
  /**
   * `before`: the call does nothing and fails. `after`: it does its work and then fails, like a lost answer. A chunk that
   * is read fails either way.
   */
  readonly when: "before" | "after";
  /** How many calls fail from there on; 1 unless told. */
  readonly times?: number | undefined;
  /** The failure; a retryable `STORE_UNREACHABLE` unless told. */
  readonly error?: (() => Error) | undefined;
}

export interface FaultyStore extends ObjectStore {
  /** Calls so far: run once without a fault to learn how many there are, then cut at every one of them. */
  readonly calls: number;
}

/**
 * A store that fails at a chosen call, for tests of promises like "all or nothing" under a cut at every place:
 * `for (let atCall = 1; atCall <= calls; atCall += 1)`.
 */
export function withFault(store: ObjectStore, fault?: Fault): FaultyStore {
  let calls = 0;
  const cutter: Cutter = async (run) => {
    calls += 1;
    const isHit = fault !== undefined && calls >= fault.atCall && calls < fault.atCall + (fault.times ?? 1);
    if (!isHit) return await run();
    const fail =
      fault.error ?? (() => new SoarError("STORE_UNREACHABLE", `unable to go on: call ${calls} was made to fail`));
    if (fault.when === "after") await run();
    throw fail();
  };
  return {
    get calls() {
      return calls;
    },
    location: store.location,
    features: store.features,
    put: (key, body, options) => cutter(() => store.put(key, body, options)),
    beginMultipart: async (key, options) =>
      faultyUpload(await cutter(() => store.beginMultipart(key, options)), cutter),
    get: async (key, options) => faultyBody(await cutter(() => store.get(key, options)), cutter),
    stat: (key, options) => cutter(() => store.stat(key, options)),
    list: (prefix, options) => faultyChunks(store.list(prefix, options), cutter),
    remove: (keys, options) => cutter(() => store.remove(keys, options)),
    listUploads: (prefix, options) => cutter(() => store.listUploads(prefix, options)),
    abortStaleUploads: (prefix, before, options) => cutter(() => store.abortStaleUploads(prefix, before, options)),
    close: () => store.close(),
  };
}

type Cutter = <T>(run: () => Promise<T>) => Promise<T>;

function faultyUpload(upload: MultipartUpload, cutter: Cutter): MultipartUpload {
  return {
    key: upload.key,
    partSize: upload.partSize,
    putPart: (partNumber, body, options) => cutter(() => upload.putPart(partNumber, body, options)),
    complete: (options) => cutter(() => upload.complete(options)),
    abort: (options) => cutter(() => upload.abort(options)),
  };
}

function faultyBody(body: ObjectBody, cutter: Cutter): ObjectBody {
  return {
    object: body.object,
    offset: body.offset,
    length: body.length,
    [Symbol.asyncIterator]: () => faultyChunks(body, cutter),
  };
}

async function* faultyChunks<T extends Uint8Array | StoredObject>(
  items: AsyncIterable<T>,
  cutter: Cutter,
): AsyncGenerator<T, void, void> {
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await cutter(() => iterator.next());
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
