import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Owner } from "@soar/durable-files";
import { requireNotAborted } from "../../abort-signal.ts";
import { type PartRules, requireAllParts, requirePart, requirePartSize, uploadEnded } from "../../multipart-parts.ts";
import { compareKeys } from "../../object-key.ts";
import type {
  MultipartOptions,
  MultipartUpload,
  StoredObject,
  StoreFeatures,
  UnfinishedUpload,
} from "../../object-store.ts";
import { hasSystemErrorCode } from "./errors.ts";
import { describeFile, FILE_MODE, findFile, pathOfKey, PRIVATE_DIRECTORY } from "./layout.ts";
import { type FileVolume, makeDirectories, makeDirectory, publishFile } from "./publish.ts";
import { give, ownerOfRoot, reach, removeAll } from "./reach.ts";

/** One directory per upload: `data` grows by parts written at their offsets, `upload.json` says what it is. */
const UPLOADS = join(PRIVATE_DIRECTORY, "uploads");

interface UploadRecord {
  readonly key: string;
  /** ISO 8601. */
  readonly begunAt: string;
}

/** Begins an upload whose parts go straight to their place in one file: parts are equally long, so nothing is copied. */
export async function beginFileUpload(
  volume: FileVolume,
  name: string,
  key: string,
  features: StoreFeatures,
  options: MultipartOptions,
): Promise<MultipartUpload> {
  const rules: PartRules = { name, partSize: options.partSize, features };
  requirePartSize(rules);
  const path = pathOfKey(volume.root, key);
  const directory = await makeUploadDirectory(volume.root, key);
  const data = join(directory, "data");
  const sizes = new Map<number, number>();
  return {
    key,
    partSize: options.partSize,
    async putPart(partNumber, body, { signal } = {}) {
      requirePart(rules, partNumber, body.byteLength);
      requireNotAborted(signal, `upload part ${partNumber} of '${name}'`);
      await writeAt(data, body, (partNumber - 1) * options.partSize, name);
      sizes.set(partNumber, body.byteLength);
    },
    async complete({ signal } = {}) {
      requireNotAborted(signal, `complete the upload of '${name}'`);
      if ((await findFile(data)) === undefined) throw uploadEnded(name);
      await using finished = await reach(data);
      const object = await finishData(finished.at, key, requireAllParts(rules, sizes));
      await publishFile(volume, finished.at, path, options.ifAbsent);
      await removeAll(directory);
      return object;
    },
    async abort() {
      await removeAll(directory);
    },
  };
}

async function makeUploadDirectory(root: string, key: string): Promise<string> {
  const directory = join(root, UPLOADS, randomUUID());
  await makeDirectories(root, dirname(directory));
  const owner = await ownerOfRoot(root);
  await using place = await reach(directory);
  await makeDirectory(place.at, owner);
  const record: UploadRecord = { key, begunAt: new Date().toISOString() };
  await createFile(join(directory, "upload.json"), JSON.stringify(record), owner);
  await createFile(join(directory, "data"), "", owner);
  return directory;
}

async function createFile(path: string, text: string, owner: Owner | undefined): Promise<void> {
  await using place = await reach(path);
  await using handle = await open(place.at, "wx", FILE_MODE);
  await give(handle, owner);
  await handle.writeFile(text);
}

const EXISTING = constants.O_RDWR | constants.O_NOFOLLOW;

async function writeAt(path: string, body: Uint8Array, position: number, name: string): Promise<void> {
  const ended = (error: unknown): never => {
    throw hasSystemErrorCode(error, "ENOENT") ? uploadEnded(name) : error;
  };
  await using place = await reach(path).catch(ended);
  await using handle = await open(place.at, EXISTING).catch(ended);
  for (let written = 0; written < body.byteLength;) {
    written += (await handle.write(body, written, body.byteLength - written, position + written)).bytesWritten;
  }
}

/** A part that was sent again may have been shorter: the file is cut to what the parts say, then made durable. */
async function finishData(path: string, key: string, size: number): Promise<StoredObject> {
  await using handle = await open(path, EXISTING);
  await handle.truncate(size);
  await handle.sync();
  return describeFile(key, await handle.stat({ bigint: true }));
}

/** Uploads under `prefix` that were never completed or given back. */
export async function listFileUploads(root: string, prefix: string): Promise<UnfinishedUpload[]> {
  const found: UnfinishedUpload[] = [];
  for (const directory of await entriesOf(join(root, UPLOADS))) {
    const record = await readUploadRecord(directory);
    if (record?.key.startsWith(prefix) === true) found.push({ key: record.key, begunAt: new Date(record.begunAt) });
  }
  return found.sort((left, right) => compareKeys(left.key, right.key));
}

/** Removes uploads under `prefix` begun before `before`, and what interrupted puts left; returns the uploads' keys. */
export async function abortStaleFileUploads(root: string, prefix: string, before: Date): Promise<string[]> {
  const keys: string[] = [];
  for (const directory of await entriesOf(join(root, UPLOADS))) {
    const record = await readUploadRecord(directory);
    if (record === undefined) {
      await removeOlder(directory, before);
      continue;
    }
    if (!record.key.startsWith(prefix) || new Date(record.begunAt) >= before) continue;
    await removeAll(directory);
    keys.push(record.key);
  }
  for (const leftover of await entriesOf(join(root, TEMPORARIES))) await removeOlder(leftover, before);
  return keys.sort(compareKeys);
}

/** Bytes of a put before they get their name. */
export const TEMPORARIES = join(PRIVATE_DIRECTORY, "puts");

async function entriesOf(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).map((name) => join(directory, name));
  } catch (error) {
    if (hasSystemErrorCode(error, "ENOENT")) return [];
    throw error;
  }
}

/** Undefined for an upload that is just beginning or ending, and for one cut off before it had a record. */
async function readUploadRecord(directory: string): Promise<UploadRecord | undefined> {
  try {
    const { key, begunAt } = JSON.parse(
      await readFile(join(directory, "upload.json"), "utf8"),
    ) as Partial<UploadRecord>;
    return typeof key === "string" && typeof begunAt === "string" ? { key, begunAt } : undefined;
  } catch (error) {
    if (hasSystemErrorCode(error, "ENOENT") || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function removeOlder(path: string, before: Date): Promise<void> {
  try {
    if ((await stat(path)).mtime < before) await removeAll(path);
  } catch (error) {
    if (!hasSystemErrorCode(error, "ENOENT")) throw error;
  }
}
