import { SoarError } from "@soar/errors";
import type { GetOptions, ObjectBody, ObjectStore } from "./object-store.ts";

export interface ReadObjectOptions extends GetOptions {
  /** Refuse longer ones with `STORE_PROTOCOL` before reading: a small record that became huge must not fill the memory. */
  readonly maxBytes?: number | undefined;
  /** The error for such an object, where the caller knows what it means. */
  readonly whenLonger?: ((length: number) => Error) | undefined;
}

/** Reads an object, or a range of it, into memory. Rejects like `get` and its body. */
export async function readObject(store: ObjectStore, key: string, options: ReadObjectOptions = {}): Promise<Buffer> {
  const { maxBytes = Infinity, whenLonger, signal, range } = options;
  const controller = new AbortController();
  const body = await store.get(key, {
    range,
    whole: true,
    signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
  });
  if (body.length > maxBytes) {
    controller.abort();
    throw (
      whenLonger?.(body.length) ??
      new SoarError(
        "STORE_PROTOCOL",
        `unable to read '${store.location}/${key}': it has ${body.length} bytes, at most ${maxBytes} were expected`,
      )
    );
  }
  return await collectBody(body);
}

/** Reads an opened body into one buffer of exactly its length; a body that is one chunk with memory of its own is that buffer. */
export async function collectBody(body: ObjectBody): Promise<Buffer> {
  let bytes: Buffer | undefined;
  let filled = 0;
  for await (const chunk of body) {
    if (bytes === undefined && chunk.byteLength === body.length && fillsItsMemory(chunk)) {
      bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    } else {
      bytes ??= Buffer.allocUnsafeSlow(body.length);
      bytes.set(chunk, filled);
    }
    filled += chunk.byteLength;
  }
  return bytes ?? Buffer.alloc(0);
}

/** What was given may be handed on to another thread, or emptied, together with its memory. */
function fillsItsMemory({ buffer, byteLength }: Uint8Array): boolean {
  return buffer.byteLength === byteLength;
}
