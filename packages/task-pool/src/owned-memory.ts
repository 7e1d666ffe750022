/** The memory under `bytes`, when nothing else can live in it; Node's pool of small buffers must not be moved. */
export function memoryOf(bytes: Uint8Array): ArrayBuffer[] {
  const { buffer } = bytes;
  const ownsIt =
    buffer instanceof ArrayBuffer && (Buffer.poolSize < buffer.byteLength || bytes.byteLength === buffer.byteLength);
  return ownsIt ? [buffer] : [];
}

/**
 * The same bytes in memory that may move to another thread: their own where they fill more than half of it, as what zlib
 * gives does, else a copy. For views of one memory of which several are to move: at most one of them keeps it.
 */
export function movable(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength < byteLength * 2
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(bytes);
}

/**
 * Gives memory back at once. The collector of a thread sees small objects only and would let some 80 MB of buffers
 * gather behind them before it runs.
 */
export function free(bytes: Uint8Array): void {
  for (const memory of memoryOf(bytes)) if (!memory.detached) memory.transfer(0);
}
