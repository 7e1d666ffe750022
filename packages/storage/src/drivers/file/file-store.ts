import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { link, open, rm, rmdir, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Owner } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { requireNotAborted } from "../../abort-signal.ts";
import { resolveByteRange } from "../../byte-range.ts";
import { createObjectBody } from "../../object-body.ts";
import { requireKeyPrefix } from "../../object-key.ts";
import type { ObjectBody, ObjectStore, PutOptions, StoredObject, StoreFeatures } from "../../object-store.ts";
import { ON_THIS_MACHINE } from "../on-this-machine.ts";
import { classifyFileError, hasSystemErrorCode } from "./errors.ts";
import { describeFile, FILE_MODE, findFile, pathOfKey, requireRoot } from "./layout.ts";
import { listFiles } from "./listing.ts";
import { type FileVolume, makeDirectories, publishFile, syncNames } from "./publish.ts";
import { give, ownerOfRoot, reach } from "./reach.ts";
import { abortStaleFileUploads, beginFileUpload, listFileUploads, TEMPORARIES } from "./upload.ts";

export interface FileStoreOptions {
  /** An existing directory; it is never created, so that an absent disk does not look like an empty repository. */
  readonly directory: string;
  /** Limits of uploads in parts, for tests that want small parts or few of them. */
  readonly features?: Partial<Omit<StoreFeatures, "conditionalPut">> | undefined;
  /** link(2); for tests of file systems without it. */
  readonly link?: typeof link | undefined;
}

const READ_CHUNK_BYTES = 256 * 1024;

function createFeatures(volume: FileVolume, limits: FileStoreOptions["features"]): StoreFeatures {
  return {
    maxParts: 10_000,
    minPartSize: 1,
    maxPartSize: 5 * 1024 ** 3,
    ...limits,
    ...ON_THIS_MACHINE,
    // Known from the first write on.
    get conditionalPut() {
      return volume.conditionalPut;
    },
    get conditionalComplete() {
      return volume.conditionalPut;
    },
    get atomicPut() {
      return volume.conditionalPut === "honoured" ? "yes" : "no";
    },
  };
}

/**
 * A directory as a store, one file per object under its key. Objects appear whole and durable (written under another
 * name, synced, linked, directory synced) or not at all, also through a power failure.
 */
export function createFileStore(options: FileStoreOptions): ObjectStore {
  const root = resolve(options.directory);
  const volume: FileVolume = { root, conditionalPut: "honoured", link: options.link ?? link };
  const location = `file://${root}`;
  const features = createFeatures(volume, options.features);
  const nameOf = (key: string): string => `${location}/${key}`;
  return {
    location,
    features,
    put: (key, body, putOptions = {}) =>
      attempt(`store '${nameOf(key)}'`, putOptions.signal, () => putFile(volume, key, body, putOptions)),
    beginMultipart: (key, multipartOptions) =>
      attempt(`begin the upload of '${nameOf(key)}'`, multipartOptions.signal, async () => {
        const upload = await beginFileUpload(volume, nameOf(key), key, features, multipartOptions);
        return {
          ...upload,
          putPart: (partNumber, body, { signal } = {}) =>
            attempt(`upload part ${partNumber} of '${nameOf(key)}'`, signal, () => upload.putPart(partNumber, body)),
          complete: ({ signal } = {}) =>
            attempt(`complete the upload of '${nameOf(key)}'`, signal, () => upload.complete()),
          abort: () => attempt(`abort the upload of '${nameOf(key)}'`, undefined, () => upload.abort()),
        };
      }),
    get: (key, getOptions = {}) =>
      attempt(`read '${nameOf(key)}'`, getOptions.signal, async () => {
        const object = await requireFile(root, key, nameOf(key));
        const range = resolveByteRange(getOptions.range, object.size, nameOf(key));
        return openBody(root, object, range, nameOf(key), getOptions.signal);
      }),
    stat: (key, callOptions = {}) => attempt(`look at '${nameOf(key)}'`, callOptions.signal, () => statFile(root, key)),
    async *list(prefix, listOptions = {}) {
      requireKeyPrefix(prefix);
      try {
        yield* listFiles({ root, prefix, startAfter: listOptions.startAfter ?? "", signal: listOptions.signal });
      } catch (error) {
        throw classifyFileError(error, `list '${nameOf(prefix)}'`);
      }
    },
    remove: (keys, callOptions = {}) =>
      attempt(`remove objects of '${location}'`, callOptions.signal, async () => {
        const paths = keys.map((key) => pathOfKey(root, key));
        await requireRoot(root);
        for (const path of paths) await removeFile(root, path);
      }),
    ...unfinishedUploads(root, nameOf),
    async close() {},
  };
}

function unfinishedUploads(
  root: string,
  nameOf: (key: string) => string,
): Pick<ObjectStore, "listUploads" | "abortStaleUploads"> {
  return {
    listUploads: (prefix, callOptions = {}) =>
      attempt(`list uploads under '${nameOf(prefix)}'`, callOptions.signal, async () => {
        requireKeyPrefix(prefix);
        await requireRoot(root);
        return await listFileUploads(root, prefix);
      }),
    abortStaleUploads: (prefix, before, callOptions = {}) =>
      attempt(`abort uploads under '${nameOf(prefix)}'`, callOptions.signal, async () => {
        requireKeyPrefix(prefix);
        await requireRoot(root);
        return await abortStaleFileUploads(root, prefix, before);
      }),
  };
}

async function attempt<T>(action: string, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  try {
    requireNotAborted(signal, action);
    return await run();
  } catch (error) {
    throw classifyFileError(error, action);
  }
}

async function putFile(
  volume: FileVolume,
  key: string,
  body: Uint8Array,
  { ifAbsent, whenBegun }: PutOptions,
): Promise<StoredObject> {
  const path = pathOfKey(volume.root, key);
  const directory = join(volume.root, TEMPORARIES);
  await makeDirectories(volume.root, directory);
  await using temporary = await reach(join(directory, randomUUID()));
  try {
    const object = await writeDurably(temporary.at, { key, owner: await ownerOfRoot(volume.root) }, body);
    await whenBegun?.();
    await publishFile(volume, temporary.at, path, ifAbsent);
    return object;
  } catch (error) {
    await rm(temporary.at, { force: true });
    throw error;
  }
}

async function writeDurably(
  at: string,
  { key, owner }: { readonly key: string; readonly owner: Owner | undefined },
  body: Uint8Array,
): Promise<StoredObject> {
  await using handle = await open(at, "wx", FILE_MODE);
  await give(handle, owner);
  await handle.writeFile(body);
  await handle.sync();
  return describeFile(key, await handle.stat({ bigint: true }));
}

async function statFile(root: string, key: string): Promise<StoredObject | undefined> {
  const stats = await findFile(pathOfKey(root, key));
  if (stats !== undefined) return describeFile(key, stats);
  await requireRoot(root);
  return undefined;
}

async function requireFile(root: string, key: string, name: string): Promise<StoredObject> {
  const object = await statFile(root, key);
  if (object === undefined) throw new SoarError("OBJECT_MISSING", `unable to read '${name}': there is no such object`);
  return object;
}

function openBody(
  root: string,
  object: StoredObject,
  range: { offset: number; length: number },
  name: string,
  signal: AbortSignal | undefined,
): ObjectBody {
  return createObjectBody({ object, ...range }, name, async function* () {
    try {
      yield* readChunks(pathOfKey(root, object.key), object, range, name, signal);
    } catch (error) {
      if (hasSystemErrorCode(error, "ENOENT")) {
        throw new SoarError("OBJECT_MISSING", `unable to read '${name}': it was removed meanwhile`, { cause: error });
      }
      throw classifyFileError(error, `read '${name}'`);
    }
  });
}

/** The file is opened with the first read and not before, so that a body nobody reads holds nothing open. */
async function* readChunks(
  path: string,
  object: StoredObject,
  { offset, length }: { offset: number; length: number },
  name: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  // Without waiting for whoever might write to a pipe of this name.
  await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (describeFile(object.key, await handle.stat({ bigint: true })).etag !== object.etag) {
    throw new SoarError("STORE_PROTOCOL", `unable to read '${name}': it was replaced meanwhile`);
  }
  for (let done = 0; done < length;) {
    requireNotAborted(signal, `read '${name}'`);
    const chunk = Buffer.allocUnsafeSlow(Math.min(READ_CHUNK_BYTES, length - done));
    const { bytesRead } = await handle.read(chunk, 0, chunk.byteLength, offset + done);
    if (bytesRead === 0) return;
    done += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

async function removeFile(root: string, path: string): Promise<void> {
  try {
    await using place = await reach(path);
    await unlink(place.at);
    await syncNames(place);
  } catch (error) {
    // EISDIR (Linux) and EPERM (POSIX) for a directory: it is no object, so there was none to remove.
    if (hasSystemErrorCode(error, "ENOENT", "ENOTDIR", "EISDIR")) return;
    throw error;
  }
  await removeEmptyDirectories(root, dirname(path));
}

async function removeEmptyDirectory(path: string): Promise<void> {
  await using place = await reach(path);
  await rmdir(place.at);
}

async function removeEmptyDirectories(root: string, directory: string): Promise<void> {
  for (let path = directory; path !== root; path = dirname(path)) {
    try {
      await removeEmptyDirectory(path);
    } catch (error) {
      if (hasSystemErrorCode(error, "ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR", "EBUSY")) return;
      // Not being allowed to tidy up leaves an empty directory, which is no object and hurts nobody.
      if (hasSystemErrorCode(error, "EACCES", "EPERM")) return;
      throw error;
    }
  }
}
