import { SoarError } from "@soar/errors";
import { createObjectBody } from "../object-body.ts";
import type {
  GetOptions,
  ListOptions,
  MultipartUpload,
  ObjectBody,
  ObjectStore,
  StoredObject,
} from "../object-store.ts";
import { createRetrier, type Held, type Retrier, type RetryOptions, type RetryState } from "./retry-policy.ts";

/**
 * Repeats calls that failed retryably, with full jitter, until the deadline passes. A body that breaks off goes on
 * where it stopped, as long as the object is still the same one; a listing goes on behind the last key it gave.
 *
 * When the answer to `put` with `ifAbsent` was lost, the repeated call rejects with `OBJECT_EXISTS` although the
 * caller's own bytes are there: callers compare, and equal bytes are success.
 */
export function withRetry(store: ObjectStore, options: RetryOptions = {}): ObjectStore {
  const retrier = createRetrier({ ...options, server: store.features.server });
  return {
    location: store.location,
    features: store.features,
    put: (key, body, { signal, ...rest } = {}) =>
      retrier.run({ operation: "put", key, signal }, (inner) => store.put(key, body, { ...rest, signal: inner })),
    async beginMultipart(key, { signal, ...rest }) {
      const call = { operation: "beginMultipart", key, signal };
      return retriedUpload(
        retrier,
        await retrier.run(call, (inner) => store.beginMultipart(key, { ...rest, signal: inner })),
      );
    },
    get: (key, getOptions = {}) => openRetriedBody(retrier, store, key, getOptions),
    stat: (key, { signal } = {}) =>
      retrier.run({ operation: "stat", key, signal }, (inner) => store.stat(key, { signal: inner })),
    list: (prefix, listOptions = {}) => retriedList(retrier, store, prefix, listOptions),
    remove: (keys, { signal } = {}) =>
      retrier.run({ operation: "remove", key: keys[0] ?? "", signal }, (inner) =>
        store.remove(keys, { signal: inner }),
      ),
    listUploads: (prefix, { signal } = {}) =>
      retrier.run({ operation: "listUploads", key: prefix, signal }, (inner) =>
        store.listUploads(prefix, { signal: inner }),
      ),
    abortStaleUploads: (prefix, before, { signal } = {}) =>
      retrier.run({ operation: "abortStaleUploads", key: prefix, signal }, (inner) =>
        store.abortStaleUploads(prefix, before, { signal: inner }),
      ),
    close: () => store.close(),
  };
}

function retriedUpload(retrier: Retrier, upload: MultipartUpload): MultipartUpload {
  const { key, partSize } = upload;
  return {
    key,
    partSize,
    putPart: (partNumber, body, { signal } = {}) =>
      retrier.run({ operation: "putPart", key, signal }, (inner) =>
        upload.putPart(partNumber, body, { signal: inner }),
      ),
    complete: ({ signal } = {}) =>
      retrier.run({ operation: "complete", key, signal }, (inner) => upload.complete({ signal: inner })),
    abort: ({ signal } = {}) =>
      retrier.run({ operation: "abort", key, signal }, (inner) => upload.abort({ signal: inner })),
  };
}

async function openRetriedBody(
  retrier: Retrier,
  store: ObjectStore,
  key: string,
  options: GetOptions,
): Promise<ObjectBody> {
  const state = retrier.begin({ operation: "get", key, signal: options.signal });
  const first = await state.run((signal) => store.get(key, { ...options, signal }));
  const name = `${store.location}/${key}`;
  return createObjectBody(first.value, name, () => resumedChunks(state, store, { first, whole: options.whole }, name));
}

async function* resumedChunks(
  state: RetryState,
  store: ObjectStore,
  { first, whole }: { readonly first: Held<ObjectBody>; readonly whole: boolean | undefined },
  name: string,
): AsyncGenerator<Uint8Array, void, void> {
  const { object, offset, length } = first.value;
  let received = 0;
  for (let opened = first; ;) {
    try {
      for await (const chunk of opened.value) {
        received += chunk.byteLength;
        state.progress();
        yield chunk;
      }
      return;
    } catch (error) {
      await state.failed(error);
    } finally {
      opened.release();
    }
    if (received === length) return;
    const range = { offset: offset + received, length: length - received };
    opened = await state.run((signal) => store.get(object.key, { range, whole, signal }));
    requireSameObject(object, opened, name);
  }
}

/** The rest of another object behind the beginning of this one would be a mixture that no length check notices. */
function requireSameObject(before: StoredObject, { value, release, cancel }: Held<ObjectBody>, name: string): void {
  const now = value.object;
  const same =
    before.etag === undefined
      ? before.size === now.size && +before.modifiedAt === +now.modifiedAt
      : before.etag === now.etag;
  if (same) return;
  release();
  cancel();
  throw new SoarError("STORE_PROTOCOL", `unable to go on reading '${name}': it was replaced meanwhile`, {
    hint: "Objects of a repository are never replaced; find out who writes to this bucket.",
  });
}

async function* retriedList(
  retrier: Retrier,
  store: ObjectStore,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<StoredObject, void, void> {
  const state = retrier.begin({ operation: "list", key: prefix, signal: options.signal });
  let startAfter = options.startAfter;
  for (;;) {
    try {
      for await (const object of store.list(prefix, { ...options, startAfter })) {
        startAfter = object.key;
        state.progress();
        yield object;
      }
      return;
    } catch (error) {
      await state.failed(error);
    }
  }
}
