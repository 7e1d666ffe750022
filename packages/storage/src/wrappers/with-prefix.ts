import type { MultipartUpload, ObjectBody, ObjectStore, StoredObject } from "../object-store.ts";
import { requireKey } from "../object-key.ts";

/**
 * A view of the keys under `prefix/`, which its callers neither see nor leave. Slashes around the prefix do not
 * matter; an empty one gives the store itself.
 */
export function withPrefix(store: ObjectStore, prefix: string): ObjectStore {
  const bare = prefix.replace(/^\/+|\/+$/g, "");
  if (bare === "") return store;
  requireKey(bare);
  const lead = `${bare}/`;
  // What would lead out ("..") or nowhere (a leading slash) is refused by the store itself, also behind the prefix.
  const outer = (key: string): string => lead + key;
  const inner = (object: StoredObject): StoredObject => ({ ...object, key: object.key.slice(lead.length) });
  return {
    location: `${store.location}/${bare}`,
    features: store.features,
    put: async (key, body, options) => inner(await store.put(outer(key), body, options)),
    beginMultipart: async (key, options) => innerUpload(await store.beginMultipart(outer(key), options), key, inner),
    get: async (key, options) => innerBody(await store.get(outer(key), options), inner),
    async stat(key, options) {
      const object = await store.stat(outer(key), options);
      return object === undefined ? undefined : inner(object);
    },
    async *list(innerPrefix, options = {}) {
      const startAfter = options.startAfter === undefined ? undefined : lead + options.startAfter;
      for await (const object of store.list(lead + innerPrefix, { ...options, startAfter })) yield inner(object);
    },
    remove: async (keys, options) => await store.remove(keys.map(outer), options),
    async listUploads(innerPrefix, options) {
      const uploads = await store.listUploads(lead + innerPrefix, options);
      return uploads.map((upload) => ({ ...upload, key: upload.key.slice(lead.length) }));
    },
    async abortStaleUploads(innerPrefix, before, options) {
      const keys = await store.abortStaleUploads(lead + innerPrefix, before, options);
      return keys.map((key) => key.slice(lead.length));
    },
    close: () => store.close(),
  };
}

function innerUpload(
  upload: MultipartUpload,
  key: string,
  inner: (object: StoredObject) => StoredObject,
): MultipartUpload {
  return {
    key,
    partSize: upload.partSize,
    putPart: (partNumber, body, options) => upload.putPart(partNumber, body, options),
    complete: async (options) => inner(await upload.complete(options)),
    abort: (options) => upload.abort(options),
  };
}

function innerBody(body: ObjectBody, inner: (object: StoredObject) => StoredObject): ObjectBody {
  return {
    object: inner(body.object),
    offset: body.offset,
    length: body.length,
    [Symbol.asyncIterator]: () => body[Symbol.asyncIterator](),
  };
}
