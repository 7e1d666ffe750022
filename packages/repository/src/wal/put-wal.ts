import { hasErrorCode, SoarError } from "@soar/errors";
import type { Codec } from "@soar/seekable-tar";
import { uploadStream, type CallOptions, type ObjectStore } from "@soar/storage";
import { createHash } from "node:crypto";
import {
  encodeWalObject,
  encodeWalStream,
  type EncodeWalOptions,
  WAL_MEMBER_SIZE,
  type WalFileSource,
} from "./encode-wal.ts";
import { readWalDescription } from "./get-wal.ts";
import { isCompressibleWalFile, parseWalKey, walKey, type WalObject } from "./wal-key.ts";

export interface PutWalOptions extends CallOptions, EncodeWalOptions {
  readonly codec: Codec;
  /** What `findWalObjects` finds of this file, where it was asked before: looking and storing may lie as far apart as they like. */
  readonly found?: (() => Promise<readonly WalObject[]>) | undefined;
}

export interface PutWalOutcome {
  readonly outcome: "archived" | "already archived";
  readonly object: WalObject;
}

/**
 * Promise 1: resolves only when the bucket holds exactly these bytes under this name, in any of the codecs. The same
 * bytes again are success, because PostgreSQL sends a segment again after a crash. Rejects with `WAL_CONFLICT` and
 * overwrites nothing when the name holds other bytes.
 */
export async function putWalFile(
  store: ObjectStore,
  file: WalFileSource,
  options: PutWalOptions,
): Promise<PutWalOutcome> {
  const existing = await (options.found?.() ?? findWalObjects(store, file.name, options));
  if (existing.length > 0) return confirmSame(store, file, existing, options);
  const codec = isCompressibleWalFile(file.name) ? options.codec : "none";
  const key = walKey(file.name, codec);
  try {
    const size = await upload(store, key, file, codec, options);
    return { outcome: "archived", object: { name: file.name, key, codec, size } };
  } catch (error) {
    // Somebody was faster, or this is our own put whose reply was lost: the bytes decide.
    if (!hasErrorCode(error, "OBJECT_EXISTS")) throw error;
    return confirmSame(store, file, await findWalObjects(store, file.name, options), options);
  }
}

/** Every form in which this WAL file is in the bucket: none, one, or several codecs after a change of settings. */
export async function findWalObjects(
  store: ObjectStore,
  name: string,
  options: CallOptions = {},
): Promise<WalObject[]> {
  const found: WalObject[] = [];
  for await (const { key, size } of store.list(walKey(name, "none"), options)) {
    const object = parseWalKey(key, size);
    if (object?.name === name) found.push(object);
    else if (object === undefined) throw encrypted(key);
  }
  return found;
}

async function upload(
  store: ObjectStore,
  key: string,
  file: WalFileSource,
  codec: Codec,
  options: PutWalOptions,
): Promise<number> {
  const { signal } = options;
  if (file.size <= WAL_MEMBER_SIZE)
    return (await store.put(key, await encodeWalObject(file, codec, options), { ifAbsent: true, signal })).size;
  const stored = await uploadStream(store, key, encodeWalStream(file, codec, options), {
    expectedSize: file.size,
    ifAbsent: true,
    signal,
  });
  return stored.size;
}

async function confirmSame(
  store: ObjectStore,
  file: WalFileSource,
  objects: readonly WalObject[],
  options: CallOptions,
): Promise<PutWalOutcome> {
  const [first] = objects;
  if (first === undefined) {
    throw new SoarError(
      "STORE_PROTOCOL",
      `unable to archive '${file.name}': the store says that it exists and does not list it`,
      {
        hint: "The provider's listing is not consistent. Run soar-backup-verify doctor.",
      },
    );
  }
  for (const object of objects) {
    if (!(await holdsSame(store, file, object, options))) throw conflict(store, file.name, object);
  }
  return { outcome: "already archived", object: first };
}

async function holdsSame(
  store: ObjectStore,
  file: WalFileSource,
  object: WalObject,
  options: CallOptions,
): Promise<boolean> {
  if (object.codec !== "none") {
    const { description } = await readWalDescription(store, object, options);
    return description.name === file.name && description.size === file.size && description.sha256 === file.sha256;
  }
  if (object.size !== file.size) return false;
  const hash = createHash("sha256");
  for await (const chunk of await store.get(object.key, options)) hash.update(chunk);
  return hash.digest("hex") === file.sha256;
}

function conflict(store: ObjectStore, name: string, object: WalObject): SoarError {
  return new SoarError(
    "WAL_CONFLICT",
    `unable to archive '${name}': '${store.location}/${object.key}' holds other bytes`,
    {
      hint: "Another cluster archives to this bucket and prefix, or this server's volume was rolled back to an older state. Nothing was overwritten. Begin a new archive epoch: set BACKUP_BUCKET to a new prefix, restart the archiver, run soar-base-backup at once, and keep the old prefix for restores to before (runbook: The volume was rolled back).",
    },
  );
}

function encrypted(key: string): SoarError {
  return new SoarError("REPOSITORY_VERSION", `unable to use '${key}': it is encrypted`, {
    hint: "Use a version of the tools that knows encryption, with the recipients of this repository.",
  });
}
