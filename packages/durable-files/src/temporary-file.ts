import { constants } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { type Attributes, setAttributes } from "./attributes.ts";
import type { HeldDirectory } from "./held-directory.ts";
import { systemErrorCode } from "./unwritable.ts";

/** Pieces are written as they come; what they reject with is passed on as it is. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface NewFile {
  readonly content: FileContent;
  readonly attributes: Attributes;
  /** Whether the content is on the disk before it is published. */
  readonly isSynced: boolean;
}

/** What the name of every file ends with that is not finished yet. */
export const TEMPORARY_SUFFIX = ".soar-tmp";

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** So many names may be taken by what killed processes with our id left, or by somebody who wants us to fail. */
const ATTEMPTS = 100;

/** Thrown by what was to be written, not by the file: see `sourceError`. */
class SourceFailure extends Error {}

/**
 * Writes a new file beside the name that it is meant for, calls `publish` with the path that it has meanwhile, and removes what
 * is still there when anything fails.
 */
export async function withTemporary<T>(
  directory: HeldDirectory,
  name: string,
  { content, attributes, isSynced }: NewFile,
  publish: (temporary: string) => Promise<T>,
): Promise<T> {
  const { made: handle, path } = await makeBeside(directory, name, (temporary) => open(temporary, CREATE, 0o600));
  try {
    try {
      await writeContent(handle, content);
      await setAttributes(handle, attributes, directory.owner);
      if (isSynced) await handle.sync();
    } finally {
      await handle.close();
    }
    return await publish(path);
  } catch (cause) {
    throw await discard(path, cause);
  }
}

/** The failure of the source, where `error` is one; else undefined. */
export function sourceError(error: unknown): { readonly cause: unknown } | undefined {
  return error instanceof SourceFailure ? { cause: error.cause } : undefined;
}

let created = 0;

/** Has something made under a temporary name beside the one that it is meant for, and resolves to it and its path. */
export async function makeBeside<T>(
  directory: HeldDirectory,
  name: string,
  make: (path: string) => Promise<T>,
): Promise<{ readonly made: T; readonly path: string }> {
  for (let attempt = 1; ; attempt += 1) {
    created += 1;
    const path = directory.at(`${name}.${process.pid}-${created}${TEMPORARY_SUFFIX}`);
    try {
      return { made: await make(path), path };
    } catch (error) {
      if (systemErrorCode(error) !== "EEXIST" || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Removes a temporary name after a failure, and resolves to what is to be thrown. */
export async function discard(path: string, cause: unknown): Promise<unknown> {
  try {
    await rm(path, { force: true });
    return cause;
  } catch (second) {
    return new AggregateError([cause, second], String(cause));
  }
}

async function writeContent(handle: FileHandle, content: FileContent): Promise<void> {
  if (typeof content === "string" || content instanceof Uint8Array) return await handle.writeFile(content);
  for await (const piece of sourced(content)) await handle.writeFile(piece);
}

async function* sourced(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
  } catch (cause) {
    throw new SourceFailure("", { cause });
  }
}
