import type { Readable } from "node:stream";

/** Bytes that are gathered at most. */
const MOST_GATHERED = 64 * 1024 ** 2;

/** And for how long, in milliseconds: whoever goes by what arrives hears of it in between. */
const GATHERING_MS = 1000;

interface Gathered {
  readonly bytes: Buffer;
  readonly failure: { readonly error: unknown } | undefined;
  readonly hasEnded: boolean;
}

/**
 * The chunks of a body whose reader wants all of it in memory, gathered to one where it comes fast enough. A socket gives
 * 16 KiB at a time, and handing each of them through the layers of a store costs more than decrypting it.
 *
 * What came before a failure is yielded before it is thrown. Surplus bytes are yielded, too: they are for the reader to judge.
 */
export async function* gatheredChunks(body: Readable, length: number): AsyncGenerator<Uint8Array, void, void> {
  // While its reader is busy, too: Node keeps a failure that nobody listens for to itself.
  body.on("error", ignore);
  try {
    for (let left = length; left > 0;) {
      const { bytes, failure, hasEnded } = await gather(body, Buffer.allocUnsafeSlow(Math.min(left, MOST_GATHERED)));
      left -= bytes.byteLength;
      if (bytes.byteLength > 0) yield bytes;
      if (failure !== undefined) throw failure.error;
      if (hasEnded) return;
    }
    for await (const chunk of body) yield chunk as Uint8Array;
  } finally {
    if (!body.readableEnded) body.destroy();
    body.off("error", ignore);
  }
}

function ignore(): void {}

/** Fills the memory until it is full, or time is up, or nothing more comes. */
async function gather(body: Readable, memory: Buffer): Promise<Gathered> {
  let filled = 0;
  const { promise, resolve } = Promise.withResolvers<Pick<Gathered, "failure" | "hasEnded">>();
  const settle = (failure?: Gathered["failure"]): void => {
    clearTimeout(timer);
    body.pause().off("data", onData).off("end", onEnd).off("error", onError).off("close", onClose);
    resolve({ failure, hasEnded: body.readableEnded });
  };
  const onData = (chunk: Buffer): void => {
    const fits = chunk.subarray(0, memory.byteLength - filled);
    memory.set(fits, filled);
    filled += fits.byteLength;
    if (filled === memory.byteLength) settle();
    if (fits.byteLength < chunk.byteLength) body.unshift(chunk.subarray(fits.byteLength));
  };
  const onEnd = (): void => settle();
  const onError = (error: unknown): void => settle({ error });
  const onClose = (): void => settle(body.readableEnded ? undefined : { error: closedEarly(body) });
  const timer = setTimeout(onEnd, GATHERING_MS);
  body.on("data", onData).on("end", onEnd).on("error", onError).on("close", onClose);
  if (body.destroyed) onClose();
  else body.resume();
  const outcome = await promise;
  return { bytes: memory.subarray(0, filled), ...outcome };
}

function closedEarly({ errored }: Readable): Error {
  return errored ?? Object.assign(new Error("the connection was closed within the body"), { code: "ECONNRESET" });
}
