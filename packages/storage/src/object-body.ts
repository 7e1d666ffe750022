import { SoarError } from "@soar/errors";
import type { ObjectBody, StoredObject } from "./object-store.ts";

export interface BodyFacts {
  readonly object: StoredObject;
  readonly offset: number;
  readonly length: number;
}

/**
 * Wraps the chunks of a driver into a body that keeps the contract: exactly `length` bytes, else `OBJECT_SHORT` (too
 * few) or `STORE_PROTOCOL` (too many). `name` is the object's full name for messages. A body is read once.
 */
export function createObjectBody(
  facts: BodyFacts,
  name: string,
  openChunks: () => AsyncIterable<Uint8Array>,
): ObjectBody {
  let opened = false;
  return {
    object: facts.object,
    offset: facts.offset,
    length: facts.length,
    [Symbol.asyncIterator]() {
      if (opened) throw new TypeError(`the body of '${name}' was read already`);
      opened = true;
      return countedChunks(openChunks(), facts.length, name);
    },
  };
}

async function* countedChunks(
  chunks: AsyncIterable<Uint8Array>,
  length: number,
  name: string,
): AsyncGenerator<Uint8Array, void, void> {
  let received = 0;
  for await (const chunk of chunks) {
    received += chunk.byteLength;
    if (received > length) {
      throw new SoarError(
        "STORE_PROTOCOL",
        `unable to read '${name}': the store sent more than the ${length} bytes asked for`,
      );
    }
    if (chunk.byteLength > 0) yield chunk;
  }
  if (received < length) throw shortBody(name, received, length);
}

/** The failure of a body that ended early. Reading again may help, so it is retryable. */
export function shortBody(name: string, received: number, length: number, cause?: unknown): SoarError {
  return new SoarError(
    "OBJECT_SHORT",
    `unable to read '${name}': the body ended after ${received} of ${length} bytes`,
    { cause },
  );
}
