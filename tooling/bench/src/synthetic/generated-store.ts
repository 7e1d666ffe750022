import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { createMemoryStore, type ByteRange, type ObjectBody, type ObjectStore, type StoredObject } from "@soar/storage";
import { bundleOf, OBJECT } from "./layout.ts";
import { keyOf, smallFiles, TABLE_FILE, type Summary } from "./repository-files.ts";

export interface GeneratedStore extends Disposable {
  readonly store: ObjectStore;
  /** Of small objects and of these: everything that was asked for. */
  requests(): number;
}

/** A store in memory, whose one large object is made as it is read, and whose seek table lies in a file. Counts what is asked. */
export function openGenerated(directory: string, { storedBytes, tar }: Summary): GeneratedStore {
  const memory = createMemoryStore();
  const table = openSync(join(directory, TABLE_FILE), "r");
  const bundle = bundleOf(smallFiles());
  let requests = 0;
  const readTable = (offset: number, length: number): Buffer => {
    const bytes = Buffer.allocUnsafeSlow(length);
    readSync(table, bytes, 0, length, offset);
    return bytes;
  };
  /** Zeros behind the small files. */
  const readTar = (offset: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length);
    if (offset < bundle.length) bundle.copy(bytes, 0, offset);
    return bytes;
  };
  const large = new Map([
    [keyOf("index.zst"), { size: storedBytes, read: readTable }],
    [keyOf(OBJECT), { size: tar, read: readTar }],
  ]);
  const described = (key: string, size: number): StoredObject => {
    return { key, size, modifiedAt: new Date(0), etag: undefined, storageClass: undefined };
  };
  const store: ObjectStore = {
    ...memory,
    async get(key, options) {
      requests += 1;
      const object = large.get(key);
      if (object === undefined) return await memory.get(key, options);
      const { offset, length } = placeOf(options?.range, object.size);
      return bodyOf(described(key, object.size), offset, object.read(offset, length));
    },
    async stat(key, options) {
      requests += 1;
      const object = large.get(key);
      return object === undefined ? await memory.stat(key, options) : described(key, object.size);
    },
    async *list(prefix, options) {
      requests += 1;
      for await (const found of memory.list(prefix, options))
        yield described(found.key, large.get(found.key)?.size ?? found.size);
    },
  };
  return { store, requests: () => requests, [Symbol.dispose]: () => closeSync(table) };
}

function placeOf(range: ByteRange | undefined, size: number): { readonly offset: number; readonly length: number } {
  if (range === undefined) return { offset: 0, length: size };
  if ("suffix" in range) return { offset: size - range.suffix, length: range.suffix };
  return { offset: range.offset, length: range.length ?? size - range.offset };
}

function bodyOf(object: StoredObject, offset: number, bytes: Buffer): ObjectBody {
  return {
    object,
    offset,
    length: bytes.length,
    async *[Symbol.asyncIterator]() {
      yield await Promise.resolve(bytes);
    },
  };
}
