import { hasErrorCode, SoarError } from "@soar/errors";
import { compressMember, type Codec } from "@soar/seekable-tar";
import { uploadStream, type CallOptions, type ObjectStore } from "@soar/storage";
import { createHash } from "node:crypto";
import { readWalDescription } from "./get-wal.ts";
import { formatWalDescription, type WalDescription } from "./wal-description.ts";
import { isCompressibleWalFile, parseWalKey, walKey, type WalObject } from "./wal-key.ts";

/** Plain bytes per member: segments up to this size are one member. A fact of each object, not of the format. */
export const WAL_MEMBER_SIZE = 32 * 1024 * 1024;

/**
 * Compression levels of WAL when none is asked for. zstd: level 1 takes less than half the time of level 3, and gives 1.4 %
 * *fewer* bytes of pgbench-like segments (27 ms, 2.83 MB against 57 ms, 2.87 MB; one core).
 */
export const WAL_LEVELS: Readonly<Record<Codec, number>> = { zstd: 1, gzip: 4, none: 0 };

/** Up to this size an object is built in memory and sent in one request. */
const LARGEST_SINGLE_PUT = 64 * 1024 * 1024;

/** A WAL file that is to be stored. Its bytes must not change meanwhile. */
export interface WalFileSource {
  /** PostgreSQL's file name (%f). */
  readonly name: string;
  /** Plain bytes. */
  readonly size: number;
  /** SHA-256 of the plain bytes, lower-case hexadecimal. */
  readonly sha256: string;
  /** What a scan of a segment found; absent for other files. */
  readonly facts?: Pick<WalDescription, "sysid" | "tx" | "open" | "rp" | "rpMore" | "pc"> | undefined;
  /** Whether `open` gives the very bytes in memory that were hashed, which nobody changes any more. */
  readonly isHeld?: boolean | undefined;
  /** Reads the file again from the start, in pieces of `memberSize` bytes, the last one shorter. */
  open(memberSize: number): AsyncIterable<Buffer>;
  /** The stored form of every member of `WAL_MEMBER_SIZE` plain bytes, where the one pass that hashed the file made it too. */
  readonly encoded?: { readonly codec: Codec; readonly members: readonly Buffer[] } | undefined;
}

export interface PutWalOptions extends CallOptions {
  readonly codec: Codec;
  readonly level?: number | undefined;
  /** Where compression happens; by default on libuv's threads. */
  readonly compress?: (plain: Buffer) => Promise<Buffer>;
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
  const existing = await findWalObjects(store, file.name, options);
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
  if (file.size <= LARGEST_SINGLE_PUT) {
    const parts: Buffer[] = [];
    for await (const part of encode(file, codec, options)) parts.push(part);
    return (await store.put(key, Buffer.concat(parts), { ifAbsent: true, signal })).size;
  }
  const stored = await uploadStream(store, key, encode(file, codec, options), {
    expectedSize: file.size,
    ifAbsent: true,
    signal,
  });
  return stored.size;
}

/** The stored form: members, then the description. Rejects with `WAL_INVALID` when the file changed under our hands. */
async function* encode(file: WalFileSource, codec: Codec, options: PutWalOptions): AsyncGenerator<Buffer> {
  if (file.encoded?.codec === codec) {
    yield* file.encoded.members;
    if (codec !== "none")
      yield describe(
        file,
        codec,
        file.encoded.members.map(({ length }) => length),
      );
    return;
  }
  const compress =
    options.compress ??
    ((plain: Buffer) => compressMember(codec, plain, { level: options.level ?? WAL_LEVELS[codec] }));
  const members: number[] = [];
  // What is read a second time may have changed since.
  const hash = file.isHeld === true ? undefined : createHash("sha256");
  let size = 0;
  for await (const plain of file.open(WAL_MEMBER_SIZE)) {
    hash?.update(plain);
    size += plain.length;
    const stored = codec === "none" ? plain : await compress(plain);
    members.push(stored.length);
    yield stored;
  }
  if (size !== file.size || (hash?.digest("hex") ?? file.sha256) !== file.sha256) throw changed(file.name);
  if (codec === "none") return;
  yield describe(file, codec, members);
}

function describe(
  { name, size, sha256, facts }: WalFileSource,
  codec: Exclude<Codec, "none">,
  members: number[],
): Buffer {
  return formatWalDescription({ v: 1, name, size, sha256, members, memberSize: WAL_MEMBER_SIZE, ...facts }, codec);
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

function changed(name: string): SoarError {
  return new SoarError("WAL_INVALID", `unable to archive '${name}': the file changed while it was read`, {
    hint: "PostgreSQL does not change a finished segment; check what else writes to pg_wal.",
  });
}

function encrypted(key: string): SoarError {
  return new SoarError("REPOSITORY_VERSION", `unable to use '${key}': it is encrypted`, {
    hint: "Use a version of the tools that knows encryption, with the recipients of this repository.",
  });
}
