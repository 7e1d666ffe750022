import { randomUUID } from "node:crypto";
import { SoarError } from "@soar/errors";
import { requireNotAborted } from "../abort-signal.ts";
import { resolveByteRange } from "../byte-range.ts";
import { type PartRules, requireAllParts, requirePart, requirePartSize, uploadEnded } from "../multipart-parts.ts";
import { createObjectBody } from "../object-body.ts";
import { compareKeys, requireKey, requireKeyPrefix } from "../object-key.ts";
import { ON_THIS_MACHINE } from "./on-this-machine.ts";
import type {
  GetOptions,
  ListOptions,
  MultipartOptions,
  MultipartUpload,
  ObjectBody,
  ObjectStore,
  PutOptions,
  StoredObject,
  StoreFeatures,
} from "../object-store.ts";

export interface MemoryStoreOptions {
  /** For messages. */
  readonly name?: string | undefined;
  /** What `modifiedAt` is taken from. */
  readonly now?: (() => Date) | undefined;
  /** Limits of uploads in parts, for tests that want small parts or few of them. */
  readonly features?: Partial<StoreFeatures> | undefined;
}

interface MemoryObject {
  readonly object: StoredObject;
  readonly bytes: Buffer;
}

interface MemoryUpload {
  readonly key: string;
  readonly begunAt: Date;
}

interface MemoryState {
  readonly location: string;
  readonly now: () => Date;
  readonly features: StoreFeatures;
  readonly objects: Map<string, MemoryObject>;
  readonly uploads: Map<string, MemoryUpload>;
}

const CHUNK_BYTES = 64 * 1024;

/** A store in this process's memory: complete, for tests and for trying things out. */
export function createMemoryStore(options: MemoryStoreOptions = {}): ObjectStore {
  const state = createState(options);
  return {
    location: state.location,
    features: state.features,
    async put(key, body, putOptions = {}) {
      requireKey(key);
      requireNotAborted(putOptions.signal, `store '${key}'`);
      await putOptions.whenBegun?.();
      return storeBytes(state, key, Buffer.from(body), putOptions);
    },
    async beginMultipart(key, multipartOptions) {
      requireKey(key);
      requireNotAborted(multipartOptions.signal, `begin the upload of '${key}'`);
      return beginUpload(state, key, multipartOptions);
    },
    async get(key, getOptions = {}) {
      requireKey(key);
      requireNotAborted(getOptions.signal, `read '${key}'`);
      return readObject(state, key, getOptions);
    },
    async stat(key, callOptions = {}) {
      requireKey(key);
      requireNotAborted(callOptions.signal, `look at '${key}'`);
      return state.objects.get(key)?.object;
    },
    list: (prefix, listOptions = {}) => listObjects(state, prefix, listOptions),
    async remove(keys, callOptions = {}) {
      for (const key of keys) requireKey(key);
      requireNotAborted(callOptions.signal, `remove ${keys.length} objects`);
      for (const key of keys) state.objects.delete(key);
    },
    async listUploads(prefix, callOptions = {}) {
      requireKeyPrefix(prefix);
      requireNotAborted(callOptions.signal, `list uploads under '${prefix}'`);
      const found = [...state.uploads.values()].filter(({ key }) => key.startsWith(prefix));
      return found
        .map(({ key, begunAt }) => ({ key, begunAt }))
        .sort((left, right) => compareKeys(left.key, right.key));
    },
    async abortStaleUploads(prefix, before, callOptions = {}) {
      requireKeyPrefix(prefix);
      requireNotAborted(callOptions.signal, `abort uploads under '${prefix}'`);
      const stale = [...state.uploads].filter(([, upload]) => upload.key.startsWith(prefix) && upload.begunAt < before);
      for (const [id] of stale) state.uploads.delete(id);
      return stale.map(([, upload]) => upload.key).sort(compareKeys);
    },
    async close() {},
  };
}

function createState(options: MemoryStoreOptions): MemoryState {
  return {
    location: `memory:${options.name ?? ""}`,
    now: options.now ?? (() => new Date()),
    features: {
      ...ON_THIS_MACHINE,
      conditionalPut: "honoured",
      maxParts: 10_000,
      minPartSize: 1,
      maxPartSize: 5 * 1024 ** 3,
      ...options.features,
    },
    objects: new Map(),
    uploads: new Map(),
  };
}

function nameOf(state: MemoryState, key: string): string {
  return `${state.location}/${key}`;
}

function storeBytes(state: MemoryState, key: string, bytes: Buffer, { ifAbsent }: PutOptions): StoredObject {
  if (ifAbsent && state.objects.has(key)) {
    throw new SoarError(
      "OBJECT_EXISTS",
      `unable to store '${nameOf(state, key)}': there is an object of this name already`,
    );
  }
  const object = { key, size: bytes.byteLength, modifiedAt: state.now(), etag: randomUUID(), storageClass: undefined };
  state.objects.set(key, { object, bytes });
  return object;
}

function readObject(state: MemoryState, key: string, options: GetOptions): ObjectBody {
  const name = nameOf(state, key);
  const found = state.objects.get(key);
  if (found === undefined) throw new SoarError("OBJECT_MISSING", `unable to read '${name}': there is no such object`);
  const range = resolveByteRange(options.range, found.object.size, name);
  const bytes = found.bytes.subarray(range.offset, range.offset + range.length);
  return createObjectBody({ object: found.object, ...range }, name, () => copiedChunks(bytes, options.signal, key));
}

async function* copiedChunks(
  bytes: Buffer,
  signal: AbortSignal | undefined,
  key: string,
): AsyncGenerator<Uint8Array, void, void> {
  for (let offset = 0; offset < bytes.byteLength; offset += CHUNK_BYTES) {
    requireNotAborted(signal, `read '${key}'`);
    // A copy: the reader owns its chunks and may write into them.
    yield Buffer.from(bytes.subarray(offset, offset + CHUNK_BYTES));
  }
}

async function* listObjects(
  state: MemoryState,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<StoredObject, void, void> {
  requireKeyPrefix(prefix);
  const startAfter = options.startAfter ?? "";
  const keys = [...state.objects.keys()].filter((key) => key.startsWith(prefix) && compareKeys(key, startAfter) > 0);
  for (const key of keys.sort(compareKeys)) {
    requireNotAborted(options.signal, `list '${prefix}'`);
    const found = state.objects.get(key);
    if (found !== undefined) yield found.object;
  }
  requireNotAborted(options.signal, `list '${prefix}'`);
}

function beginUpload(state: MemoryState, key: string, options: MultipartOptions): MultipartUpload {
  const rules: PartRules = { name: nameOf(state, key), partSize: options.partSize, features: state.features };
  requirePartSize(rules);
  const id = randomUUID();
  const parts = new Map<number, Buffer>();
  state.uploads.set(id, { key, begunAt: state.now() });
  return {
    key,
    partSize: options.partSize,
    async putPart(partNumber, body, { signal } = {}) {
      requirePart(rules, partNumber, body.byteLength);
      requireNotAborted(signal, `upload part ${partNumber} of '${key}'`);
      if (!state.uploads.has(id)) throw uploadEnded(rules.name);
      parts.set(partNumber, Buffer.from(body));
    },
    async complete({ signal } = {}) {
      requireNotAborted(signal, `complete the upload of '${key}'`);
      if (!state.uploads.has(id)) throw uploadEnded(rules.name);
      requireAllParts(rules, new Map([...parts].map(([partNumber, bytes]) => [partNumber, bytes.byteLength])));
      const inOrder = [...parts].sort(([left], [right]) => left - right).map(([, bytes]) => bytes);
      const object = storeBytes(state, key, Buffer.concat(inOrder), options);
      state.uploads.delete(id);
      return object;
    },
    async abort() {
      state.uploads.delete(id);
      parts.clear();
    },
  };
}
